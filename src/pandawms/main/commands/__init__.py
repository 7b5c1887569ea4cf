"""The process commands of `panda`: thin modules with `configure(parser)` and `run(arguments, session)` over the programs beside this package."""
