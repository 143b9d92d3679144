"""Every query strategy by its name on the command line."""

from __future__ import annotations

from pipeline.acquisition.badge import badge
from pipeline.acquisition.cluster_margin import cluster_margin
from pipeline.acquisition.coverage import facility_location
from pipeline.acquisition.drop_query import drop_query
from pipeline.acquisition.falcun import falcun
from pipeline.acquisition.k_center import k_center
from pipeline.acquisition.round import Strategy
from pipeline.acquisition.typiclust import typiclust
from pipeline.acquisition.uncertainty import entropy, least_confidence, margin, power_margin, random

DEFAULT = "default"
STRATEGIES: dict[str, Strategy] = {
    DEFAULT: facility_location,  # with the audit share that every queue has
    "coverage": facility_location,  # without
    "random": random,
    "least-confidence": least_confidence,
    "margin": margin,
    "entropy": entropy,
    "power-margin": power_margin,
    "k-center": k_center,
    "badge": badge,
    "typiclust": typiclust,
    "cluster-margin": cluster_margin,
    "drop-query": drop_query,
    "falcun": falcun,
}
