"""tests/conftest.py limits BLAS and OpenMP to one thread before anything loads them."""

from __future__ import annotations

import os

import numpy as np
import torch
from threadpoolctl import threadpool_info

from tests.conftest import THREAD_VARIABLES


def test_tests_compute_on_one_thread_and_so_do_processes_that_they_start() -> None:
    asked = max(int(os.environ[name]) for name in THREAD_VARIABLES)  # 1, unless the user asked for more
    np.linalg.inv(np.eye(2))
    pools = threadpool_info()
    assert {pool["user_api"] for pool in pools} >= {"blas", "openmp"}
    assert max([torch.get_num_threads(), *(pool["num_threads"] for pool in pools)]) <= asked
