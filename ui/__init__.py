"""The browser door's own code: widgets from parameters, links, charts, and the calls behind the pages."""

import sys
from pathlib import Path

# Streamlit puts the folder of its script on the path of imports for each run, and takes it off again. A
# thread that walks the path at that moment leaves out an entry: an import fails, or a package has no version.
# What stands there for good it leaves alone; at the end, where it shadows nobody's module.
_SCRIPT_FOLDER = str(Path(__file__).parent)
if _SCRIPT_FOLDER not in sys.path:
    sys.path.append(_SCRIPT_FOLDER)
