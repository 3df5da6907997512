"""Paths: the checkout, and the git-ignored folder in it that holds all state."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".pipeline"
ENGINE_PYTHON = STATE / "engine-venv" / "bin" / "python"
ENGINE_PROCESS = ROOT / "local" / "engine_process.py"
CDK = ROOT / "node_modules" / "aws-cdk"
