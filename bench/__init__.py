"""The benchmark: what stagebridge costs beside a bare floor and beside others. ``make bench``."""
