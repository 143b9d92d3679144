"""When to stop labelling: how good a head is, which predictions to accept, what more labels would bring."""

from pipeline.stopping.acceptance import Guarantee, guarantee
from pipeline.stopping.estimates import Estimate, Estimates, estimate
from pipeline.stopping.forecast import Forecast, forecast

__all__ = [
    "Estimate",
    "Estimates",
    "Forecast",
    "Guarantee",
    "estimate",
    "forecast",
    "guarantee",
]
