from galgen.batch import GalaxyBatch as GalaxyBatch
from galgen.catalog import CatalogFile as CatalogFile
from galgen.catalog import write_catalog as write_catalog
from galgen.evaluation import evaluate as evaluate
from galgen.export.hats import export_hats as export_hats
from galgen.export.hdf5 import export_hdf5 as export_hdf5
from galgen.export.imagefolder import export_imagefolder as export_imagefolder
from galgen.export.imsim import export_imsim as export_imsim
from galgen.export.meds import export_meds as export_meds
from galgen.export.realgalaxy import export_realgalaxy as export_realgalaxy
from galgen.generate import load_model as load_model
from galgen.generate.observe import Observing as Observing
from galgen.generate.sampling import Sampling as Sampling
from galgen.pictures.sheet import preview as preview
from galgen.produce.recipe import Recipe as Recipe
from galgen.runinfo import RunInfo as RunInfo
from galgen.scene import make_scene as make_scene
from galgen.training import train as train

__version__: str
