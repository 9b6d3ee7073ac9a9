"""Elasticsearch and MinIO without Docker: assemble, start, stop; standard library only.

    python infra/native/native.py build | up [--nodes 3] | down | status

Elasticsearch is assembled from Maven Central (a plain node: no security, no scripts, see
docs/elasticsearch.md), MinIO is built from the Go module proxy. Everything lies below
infra/native/build and infra/native/run, which git ignores. ``up`` writes the settings into
.env between two marker lines, ``down`` takes them back.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from assemble import BUILD, HERE, build
from processes import alive, make_class_archive, start, stop

sys.path.insert(0, str(HERE.parent))
from env_file import write_block

RUN = HERE / "run"


def up(nodes: int, elasticsearch_port: int, s3_port: int) -> None:
    """Start both servers for everyday use and write their settings into .env."""
    if running():
        print("native: already running; `make down-native` stops them")
        return
    build()
    make_class_archive()
    print(f"native: starting Elasticsearch ({nodes} node(s)) and MinIO", flush=True)
    servers = start(RUN, nodes=nodes, elasticsearch_port=elasticsearch_port, s3_port=s3_port)
    (RUN / "pids.json").write_text(json.dumps(dict(servers.pids)))
    write_block(
        {
            "BOXSEEK_INDEX": "elasticsearch",
            "BOXSEEK_ELASTICSEARCH_URL": ",".join(servers.elasticsearch_urls),
            "BOXSEEK_ELASTICSEARCH_REPLICAS": str(min(nodes - 1, 1)),
            "BOXSEEK_STORE": "s3",
            "BOXSEEK_S3_ENDPOINT": servers.s3_endpoint,
            "BOXSEEK_S3_ACCESS_KEY": servers.s3_access_key,
            "BOXSEEK_S3_SECRET_KEY": servers.s3_secret_key,
        }
    )
    print(
        f"native: Elasticsearch {', '.join(servers.elasticsearch_urls)}",
        f"and MinIO {servers.s3_endpoint} answer",
    )
    print("native: settings written to .env; demo, serve and ingest use them from now on")


def down() -> None:
    """Stop the servers that ``up`` started and take their settings out of .env."""
    pids = running()
    stop(pids)
    (RUN / "pids.json").unlink(missing_ok=True)
    write_block({})
    print(
        "native: stopped" if pids else "native: nothing was running",
        "(data kept below infra/native/run)",
    )


def running() -> dict[str, int]:
    """Process ids of the servers that ``up`` started and that still live."""
    file = RUN / "pids.json"
    pids = json.loads(file.read_text()) if file.exists() else {}
    return {name: pid for name, pid in pids.items() if alive(pid) and _ours(pid)}


def _ours(pid: int) -> bool:
    # A process id can be given to another program after a reboot.
    return str(BUILD) in Path(f"/proc/{pid}/cmdline").read_text(errors="replace")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("command", choices=["build", "up", "down", "status"])
    parser.add_argument("--nodes", type=int, default=1, choices=[1, 3])
    parser.add_argument("--elasticsearch-port", type=int, default=9200)
    parser.add_argument("--s3-port", type=int, default=9000)
    arguments = parser.parse_args()
    if arguments.command == "build":
        build()
        make_class_archive()
    elif arguments.command == "up":
        up(arguments.nodes, arguments.elasticsearch_port, arguments.s3_port)
    elif arguments.command == "down":
        down()
    else:
        print(json.dumps(running(), indent=2))


if __name__ == "__main__":
    main()
