"""When to stop labelling: how good a head is, which answers may stand, and what more labels would bring."""

from pipeline.stopping.acceptance import Promise, promise
from pipeline.stopping.estimates import Estimate, Estimates, estimate
from pipeline.stopping.forecast import Forecast, forecast
from pipeline.stopping.intervals import clopper_pearson

__all__ = [
    "Estimate",
    "Estimates",
    "Forecast",
    "Promise",
    "clopper_pearson",
    "estimate",
    "forecast",
    "promise",
]
