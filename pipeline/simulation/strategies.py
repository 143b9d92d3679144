"""Every query strategy by its name in `wildloop simulate`."""

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
from pipeline.simulation.replay import DEFAULT

STRATEGIES: dict[str, Strategy] = {
    DEFAULT: facility_location,  # one label in ten goes to the audit, as in a project
    "coverage": facility_location,  # all labels train the head
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
