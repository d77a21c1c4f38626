"""What the page asks and lists agrees with the DAGs: whom they ask, and which files of the inbox they may read."""

import io
from pathlib import Path

import pytest

from fixtures.dag_files import load_dags
from syrve.ui.errors import PageError
from syrve.ui.inbox_files import MOST_BYTES, inbox_files, keep_dropped, path_of
from syrve.ui.views.inbox import ASKING_DAGS
