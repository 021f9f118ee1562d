"""`python -m courseware build | examples | serve | record | bench`."""

import argparse
import sys

from courseware.engine import TIME_LIMIT, BuildError
from courseware.example import ExampleError


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m courseware", description="Build the course.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("build", "run the examples that changed, then build site/"),
        ("examples", "run the examples that changed"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(
            "--time-limit", type=float, default=TIME_LIMIT, help="seconds one example may take (default %(default)g)"
        )
    serve_command = commands.add_parser("serve", help="serve the site and rebuild on every edit")
    serve_command.add_argument("--address", default="127.0.0.1:8000")
    commands.add_parser("bench", help="measure builds and page weight, print a table")
    record_command = commands.add_parser("record", help="run an experiment of the lab at full size, keep its numbers")
    record_command.add_argument("experiment", help="name of its script, without .py")
    # What follows is the script's: --device, --data, --out.
    arguments, options = parser.parse_known_args(argv)
    if options and arguments.command != "record":
        parser.error(f"unrecognized arguments: {' '.join(options)}")

    # Imported here: `serve` and `bench` need none of the other's libraries.
    try:
        if arguments.command == "build":
            from courseware.build import build

            done = build(time_limit=arguments.time_limit)
            pages = "pages built" if done["pages_built"] else "pages up to date"
            print(f"{done['examples_run']} examples ran, {pages}, {done['seconds']:.1f} s: site/index.html")
        elif arguments.command == "examples":
            from courseware.engine import run_examples

            print(f"{run_examples(time_limit=arguments.time_limit)} examples ran")
        elif arguments.command == "serve":
            from courseware.build import serve

            return serve(arguments.address)
        elif arguments.command == "record":
            from courseware.labs import record

            print(f"recorded in {record(arguments.experiment, options)}")
        else:
            from courseware.bench import bench

            bench()
    except (BuildError, ExampleError) as error:
        print(f"\nThe build stopped.\n\n{error}\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
