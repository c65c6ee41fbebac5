"""The words around alerts, in English and Korean."""

from automation.alerts.notification import Notification, Why
from automation.alerts.severity import Severity

LANGUAGES = ("en", "ko")

_SEVERITIES = {
    "en": {severity: str(severity).capitalize() for severity in Severity},
    "ko": {
        Severity.LOW: "낮음",
        Severity.MEDIUM: "보통",
        Severity.HIGH: "높음",
        Severity.CRITICAL: "심각",
        Severity.EMERGENCY: "비상",
    },
}
MARKS = {
    Severity.LOW: "⚪",
    Severity.MEDIUM: "🟡",
    Severity.HIGH: "🟠",
    Severity.CRITICAL: "🔴",
    Severity.EMERGENCY: "🚨",
}
WORDS = {
    "en": {
        "since": "since",
        "ended": "Over",
        "more": "and {n} more; freqfleet alerts list shows all",
        "more_ended": "and {n} more are over",
        "acked": "{who} takes care of it",
        "level": "escalation level {n}",
        "plainly": "The template failed; these are the plain facts.",
        "acknowledge": "Acknowledge",
        "test": "This is a test. Nothing is wrong.",
    },
    "ko": {
        "since": "시작",
        "ended": "해제",
        "more": "외 {n}건, freqfleet alerts list 로 모두 볼 수 있습니다",
        "more_ended": "외 {n}건 해제",
        "acked": "{who} 님이 확인 중",
        "level": "에스컬레이션 {n}단계",
        "plainly": "템플릿 오류로 원본 정보를 보냅니다.",
        "acknowledge": "확인",
        "test": "시험 메시지입니다. 문제는 없습니다.",
    },
}


def severity_word(severity: Severity, language: str) -> str:
    """Name a severity."""
    return _SEVERITIES[language][severity]


def headline(notification: Notification, language: str) -> str:
    """Say in one line what a message is about, without any alert's own words."""
    severity = severity_word(notification.severity, language)
    firing, ended = notification.firing_count, notification.ended_count
    is_korean = language == "ko"
    if notification.why is Why.TEST:
        return "시험" if is_korean else "Test"
    if notification.why is Why.RESOLVED and not firing:
        return f"{ended}건 해제" if is_korean else f"{ended} over"
    counted = f"{firing}건" if is_korean else f"{firing} firing"
    if ended:
        counted += f", {ended}건 해제" if is_korean else f", {ended} over"
    tail = {
        Why.REPEAT: ("still", "계속"),
        Why.ESCALATED: ("escalated", "에스컬레이션"),
        Why.DIGEST: ("digest", "모음"),
    }.get(notification.why)
    suffix = f" ({tail[1 if is_korean else 0]})" if tail else ""
    return f"{severity}: {counted}{suffix}"
