"""Every query strategy by its name on the command line."""

from __future__ import annotations

from pipeline.acquisition.baselines.badge import badge
from pipeline.acquisition.baselines.cluster_margin import cluster_margin
from pipeline.acquisition.baselines.drop_query import drop_query
from pipeline.acquisition.baselines.falcun import falcun
from pipeline.acquisition.baselines.k_center import k_center
from pipeline.acquisition.baselines.typiclust import typiclust
from pipeline.acquisition.baselines.uncertainty import entropy, least_confidence, margin, power_margin, random
from pipeline.acquisition.coverage import facility_location
from pipeline.acquisition.round import Strategy

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
