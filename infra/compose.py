"""Boxseek in containers: make the secrets once, start, stop; called by the Makefile.

    python infra/compose.py up | down | logs

``up`` writes passwords to infra/run/compose.env and an admin key to infra/run/keys (both
readable by their owner alone), waits until every service is healthy, and puts the settings
of Elasticsearch and MinIO into .env, so that commands on this machine use them too.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import subprocess
from pathlib import Path

from env_file import write_block

from minio_proxy.access.keys import KeyFile

HERE = Path(__file__).resolve().parent
RUN = HERE / "run"
SECRETS = RUN / "compose.env"
COMPOSE = ["docker", "compose", "-f", str(HERE / "compose.yaml"), "--env-file", str(SECRETS)]


def check_engine() -> None:
    """Stop with what to do unless a Docker engine with compose answers."""
    try:
        found = (
            shutil.which("docker")
            and not subprocess.run(
                ["docker", "compose", "version"], capture_output=True, check=False
            ).returncode
        )
        answers = (
            found
            and not subprocess.run(
                ["docker", "version"], capture_output=True, check=False, timeout=20
            ).returncode
        )
    except subprocess.TimeoutExpired:
        answers = False
    if not answers:
        raise SystemExit(
            "make up needs a Docker engine with the compose plugin, and none answers.\n"
            "Start Docker, or run the same servers without it: make up-native"
        )


def make_secrets() -> dict[str, str]:
    """Generate passwords and an admin key at the first start; read them at later ones."""
    RUN.mkdir(exist_ok=True)
    (RUN / "pictures").mkdir(exist_ok=True)
    if not SECRETS.exists():
        values = {
            "ELASTIC_PASSWORD": secrets.token_urlsafe(24),
            "MINIO_ROOT_USER": "boxseek",
            "MINIO_ROOT_PASSWORD": secrets.token_urlsafe(24),
        }
        SECRETS.touch(mode=0o600)
        SECRETS.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    keys = RUN / "keys"
    if not (keys / "keys.json").exists():
        keys.mkdir(exist_ok=True)
        _, key = KeyFile(keys / "keys.json").add("made by make up", "admin")
        (keys / "admin.key").touch(mode=0o600)
        (keys / "admin.key").write_text(key + "\n")
        _give_to_containers(keys)
    return dict(line.split("=", 1) for line in SECRETS.read_text().splitlines() if line)


def _give_to_containers(folder: Path) -> None:
    # Inside the containers the services run as this user.
    if os.geteuid() == 0:
        for path in [folder, *folder.iterdir()]:
            os.chown(path, 10001, 10001)
    else:
        folder.chmod(0o777)
        (folder / "keys.json").chmod(0o666)


def up() -> None:
    """Build and start everything; returns when every service is healthy."""
    check_engine()
    values = make_secrets()
    started = subprocess.run([*COMPOSE, "up", "-d", "--build", "--wait"], check=False)
    if started.returncode:
        raise SystemExit("a container did not come up; `make logs` says why")
    write_block(
        {
            "BOXSEEK_INDEX": "elasticsearch",
            "BOXSEEK_ELASTICSEARCH_URL": f"http://127.0.0.1:{os.environ.get('ES_PORT', '9200')}",
            "BOXSEEK_ELASTICSEARCH_USERNAME": "elastic",
            "BOXSEEK_ELASTICSEARCH_PASSWORD": values["ELASTIC_PASSWORD"],
            "BOXSEEK_STORE": "s3",
            "BOXSEEK_S3_ENDPOINT": f"http://127.0.0.1:{os.environ.get('S3_PORT', '9000')}",
            "BOXSEEK_S3_ACCESS_KEY": values["MINIO_ROOT_USER"],
            "BOXSEEK_S3_SECRET_KEY": values["MINIO_ROOT_PASSWORD"],
        }
    )
    port = os.environ.get("API_PORT", "8000")
    print(f"Boxseek: http://127.0.0.1:{port}; admin key: {RUN / 'keys' / 'admin.key'}")


def down() -> None:
    """Stop the containers (their volumes stay) and take the settings out of .env."""
    check_engine()
    write_block({})
    raise SystemExit(subprocess.run([*COMPOSE, "down"], check=False).returncode)


def logs() -> None:
    """Follow the logs of every service."""
    check_engine()
    raise SystemExit(subprocess.run([*COMPOSE, "logs", "-f"], check=False).returncode)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["up", "down", "logs"])
    {"up": up, "down": down, "logs": logs}[parser.parse_args().command]()


if __name__ == "__main__":
    main()
