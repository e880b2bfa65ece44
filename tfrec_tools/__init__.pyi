from tfrec_tools.annotations.issues import Issue as Issue
from tfrec_tools.api.loading import Records as Records
from tfrec_tools.api.loading import Sample as Sample
from tfrec_tools.api.loading import load as load
from tfrec_tools.api.models import Model as Model
from tfrec_tools.api.models import Run as Run
from tfrec_tools.api.models import compare as compare
from tfrec_tools.api.models import evaluate as evaluate
from tfrec_tools.api.models import export as export
from tfrec_tools.api.models import finetune as finetune
from tfrec_tools.api.models import open_model as open_model
from tfrec_tools.api.records import Checked as Checked
from tfrec_tools.api.records import ComparedSets as ComparedSets
from tfrec_tools.api.records import Extracted as Extracted
from tfrec_tools.api.records import Finished as Finished
from tfrec_tools.api.records import MergedLabels as MergedLabels
from tfrec_tools.api.records import Stats as Stats
from tfrec_tools.api.records import Verified as Verified
from tfrec_tools.api.records import compare_sets as compare_sets
from tfrec_tools.api.records import convert as convert
from tfrec_tools.api.records import extract as extract
from tfrec_tools.api.records import inspect as inspect
from tfrec_tools.api.records import merge_labels as merge_labels
from tfrec_tools.api.records import remap as remap
from tfrec_tools.api.records import validate as validate
from tfrec_tools.api.records import verify as verify
from tfrec_tools.dataset.publish import Refused as Refused
from tfrec_tools.errors import InputError as InputError
from tfrec_tools.errors import LabelConflict as LabelConflict
from tfrec_tools.errors import TfrecError as TfrecError

__all__: list[str]
__version__: str
