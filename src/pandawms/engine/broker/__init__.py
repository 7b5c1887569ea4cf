"""broker: takes tasks with open units, and a picture of all queues; leaves allocations, and the reasons of all rejections.

`plan.py` asks the rules in `rules/` (and those of plugins) about each queue; it must not know how many jobs an allocation becomes.
"""
