"""Calls a model class as label-studio-ml 2.x does, which is not on PyPI.

From the sources of HumanSignal/label-studio-ml-backend at 5c12977: a model is made for each request
with `project_id` and `label_config`, keeps its state in a cache outside itself, and implements
`predict(tasks, context=..., **params)` and `fit(event, data)`.
"""
