"""The arguments of the programs that measure."""
import argparse
import sys


def parse(parser, choices=None):
    """What the command line says. With --check-arguments among it that is all: the process ends, with 0 when nothing is
    wrong, so that ./dev hears of a mistake before it builds for minutes. `choices` maps the names of lists among the
    arguments to what may stand in them."""
    parser.add_argument("--check-arguments", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name, known in (choices or {}).items():
        for word in getattr(options, name):
            if word not in known:
                parser.error(f"{name}: no such one: {word}; there are {', '.join(known)}")
    if options.check_arguments:
        sys.exit(0)
    return options
