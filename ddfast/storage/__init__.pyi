from .base import Span as Span
from .base import Stat as Stat
from .base import Storage as Storage
from .cache import CachedStorage as CachedStorage
from .cache import CacheTraffic as CacheTraffic
from .ledger import CacheUsage as CacheUsage
from .ledger import cache_usage as cache_usage
from .ledger import clear_cache as clear_cache
