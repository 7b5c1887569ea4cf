"""All SQL of the system: the schema and its migrations, the named queries, one typed module per aggregate, and the embedded server.

Takes a connection and plain values; leaves rows and returns frozen dataclasses. A function here runs one named query (or one fixed sequence of them),
never opens or commits a transaction, and knows nothing of HTTP, of stages or of policies. `queries/<aggregate>.sql` belongs to `<aggregate>.py`.
"""
