"""generate: takes allocations, open units and mergeable groups; leaves jobs in status defined, sized for their queue, with their units running.

It must not know why a queue was chosen, nor whether its data is there yet.
"""
