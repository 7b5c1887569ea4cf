"""The benchmark of an installed system: `panda bench`.

Takes a data folder of its own, runs PostgreSQL, server and engine in it as they are, plays pilots from a process of its own (`load`), and measures in the
same run what the database alone can do (`limit`). Leaves figures, pictures and no process. Knows nothing of how the parts work inside, but for the rows
that a big queue or archive is seeded with (`store.bench`).
"""
