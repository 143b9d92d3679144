"""Published query strategies that `wildloop simulate` compares with `coverage`; nothing else uses them.

They are written here because those of scikit-activeml need too much memory or time for 100,000 crops
(`benchmarks/round.py --rival`). Tests compare both on small pools.
"""
