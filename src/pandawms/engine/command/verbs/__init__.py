"""One module for each kind of command: what its rounds do. Each function takes a round and returns that there is more, or what came of it."""
