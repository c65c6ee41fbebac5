"""The samplers by the names that a user types."""

from automation.core.errors import ConfigError
from automation.tuning.evolution import CovarianceMatrix, Genetic
from automation.tuning.sampling import Chance, Sampler, Sobol
from automation.tuning.space import Space
from automation.tuning.study import Study
from automation.tuning.tpe import Parzen


def make_sampler(space: Space, study: Study) -> Sampler:
    """Build the study's sampler; raises ConfigError where it cannot search for these losses."""
    if study.sampler == "tpe":
        return Parzen(space, study)
    if study.sampler in ("nsga2", "nsga3"):
        return Genetic(space, study)
    if study.sampler == "cmaes":
        if len(study.losses) > 1:
            cure = "use nsga2, nsga3 or tpe"
            raise ConfigError("cmaes searches for one loss", where="--sampler", cure=cure)
        return CovarianceMatrix(space, study)
    return Sobol(space, study) if study.sampler == "qmc" else Chance(space, study)
