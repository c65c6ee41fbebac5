"""How a kernel function is compiled: IEEE arithmetic, and a disk cache that cannot go stale.

numba notices a change of the function's own file only, not of the functions it calls. So the cache
folder is named after a hash of every source the kernel is made of, the functions of `tradekit`
included; an edit anywhere gives a fresh folder. `FREQFLEET_KERNEL_CACHE` moves it.
"""

import hashlib
import inspect
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import config as numba_config
from numba.extending import register_jitable

from tradekit import execution, exposure, ladder, risk, sizing

F = TypeVar("F", bound=Callable[..., Any])

PACK_MODULES = (execution, exposure, ladder, risk, sizing)
CACHE_VARIABLE = "FREQFLEET_KERNEL_CACHE"


@cache
def sources() -> tuple[Path, ...]:
    """Return every file whose text decides what the kernel computes."""
    kernel = sorted(Path(__file__).parent.glob("*.py"))
    return (*kernel, *(Path(str(module.__file__)) for module in PACK_MODULES))


@cache
def cache_folder() -> Path:
    """Return the folder for compiled code of exactly these sources."""
    digest = hashlib.sha256(os.environ.get("FREQFLEET_KERNEL_REMOVED", "").encode())
    for source in sources():
        digest.update(source.read_bytes())
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "freqfleet/kernel"
    return Path(os.environ.get(CACHE_VARIABLE, default)) / digest.hexdigest()[:16]


def compiled(function: F) -> F:
    """Compile `function` for Python to call: no fast math, no fused products, cached on disk."""
    settings: Any = numba_config
    kept = settings.CACHE_DIR
    settings.CACHE_DIR = str(cache_folder())
    try:
        made: Any = numba.njit(cache=True, error_model="numpy")(function)
    finally:
        settings.CACHE_DIR = kept
    return cast("F", made)


def inner(function: F) -> F:
    """Compile `function` for compiled functions to call, as part of them; Python cannot call it.

    Without the wrappers that let Python in, the kernel compiles in a fifth less time.
    """
    options: dict[str, Any] = {
        "error_model": "numpy",
        "no_cpython_wrapper": True,
        "no_cfunc_wrapper": True,
    }
    return cast("F", numba.njit(**options)(function))


# The pack's functions, as they are: compiled code that calls one compiles that very function.
for _module in PACK_MODULES:
    for _policy in vars(_module).values():
        if inspect.isfunction(_policy) and _policy.__module__ == _module.__name__:
            register_jitable(_policy)
