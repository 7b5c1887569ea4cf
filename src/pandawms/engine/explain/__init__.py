"""explain: takes the facts about a task or job; leaves a sentence, the causes behind it and what would help. Changes nothing.

`read.py` gathers the facts, `plan.py` decides what they mean. Whoever adds a status that can last adds what it waits for here.
"""
