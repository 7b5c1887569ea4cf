"""The commands that speak to the API, thin over `client`.

Takes arguments and a terminal, leaves output and an exit code. Each command is one module with `configure(parser)` and
`run(arguments, session)`, imported only when it is called, so that `panda --help` starts in a few dozen milliseconds. Nothing
here knows of the database or of the engine.

The parser is the standard library's: importing cyclopts alone took 210 to 280 ms on the two-core machine where the limit of
200 ms for the whole start-up was set, argparse 15 ms.
"""
