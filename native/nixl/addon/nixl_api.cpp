#include "nixl_api.h"

#include <dlfcn.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>

namespace stator {
namespace {

// UCX reads its settings when it is loaded. Only what the user has not set is set:
// - UCX would otherwise replace Node's handling of SIGSEGV and other signals by its own;
// - it would patch mmap and munmap in the running process to watch memory, which registered memory does not need;
// - warnings of both libraries would go to standard error; what fails is reported as an error anyway;
// - the library's progress thread and ours would spin while the other one copies, which takes a second core;
// - memory of another process would be copied 512 KiB a system call, which is a tenth to a fifth slower than 8 MiB.
void SetDefaults() {
  setenv("UCX_HANDLE_ERRORS", "none", 0);
  setenv("UCX_ERROR_SIGNALS", "", 0);
  setenv("UCX_MEM_MMAP_HOOK_MODE", "none", 0);
  setenv("UCX_LOG_LEVEL", "fatal", 0);
  setenv("NIXL_LOG_LEVEL", "FATAL", 0);
  setenv("UCX_USE_MT_MUTEX", "y", 0);
  setenv("UCX_CMA_SEG_SIZE", "8m", 0);
}

}  // namespace

const NixlApi* LoadNixl(const std::string& path, std::string* error) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<NixlApi>> loaded;
  std::lock_guard<std::mutex> lock(mutex);
  auto known = loaded.find(path);
  if (known != loaded.end()) return known->second.get();

  SetDefaults();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    *error = dlerror();
    return nullptr;
  }
  // A library built without NIXL's implementation exports the same functions, which abort the process.
  auto is_stub = reinterpret_cast<bool (*)()>(dlsym(library, "nixl_capi_is_stub"));
  if (is_stub != nullptr && is_stub()) {
    *error = path + " is a stub without NIXL's implementation";
    return nullptr;
  }
  auto api = std::make_unique<NixlApi>();
#define STATOR_RESOLVE(name, arguments)                                                    \
  api->name = reinterpret_cast<decltype(api->name)>(dlsym(library, "nixl_capi_" #name));   \
  if (api->name == nullptr) {                                                              \
    *error = path + " has no function nixl_capi_" #name ": NIXL 1.5 or newer is required"; \
    return nullptr;                                                                        \
  }
  STATOR_NIXL_FUNCTIONS(STATOR_RESOLVE)
#undef STATOR_RESOLVE
  return (loaded[path] = std::move(api)).get();
}

}  // namespace stator
