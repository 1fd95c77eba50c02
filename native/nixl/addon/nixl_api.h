// NIXL's C API as far as it is used here, resolved at run time from libnixl_capi.so. Signatures are those of NIXL 1.5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace stator {

// Negative is an error, 0 done, 1 in progress.
using Status = int;
constexpr Status kDone = 0;
constexpr Status kInProgress = 1;

enum class MemoryType : int { kDram = 0, kVram = 1, kFile = 4 };
enum class Direction : int { kRead = 0, kWrite = 1 };

// Passed by pointer to the library, so the layout is the library's.
struct AgentConfig {
  bool enable_progress_thread;
  bool enable_listen_thread;
  int listen_port;
  int thread_sync;  // 0 none, 1 strict, 2 reader-writer
  unsigned int num_workers;
  uint64_t progress_delay_us;
  uint64_t listen_delay_us;
  bool capture_telemetry;
};

// Opaque handles; distinct types so that they cannot be confused.
struct AgentHandle;
struct ParamsHandle;
struct ParamIteratorHandle;
struct MemListHandle;
struct BackendHandle;
struct OptArgsHandle;
struct XferListHandle;
struct RegListHandle;
struct RequestHandle;
struct NotifMapHandle;

// X(name, arguments): every function returns a Status.
#define STATOR_NIXL_FUNCTIONS(X)                                                                       \
  X(create_configured_agent, (const char*, const AgentConfig*, AgentHandle**))                         \
  X(destroy_agent, (AgentHandle*))                                                                     \
  X(get_plugin_params, (AgentHandle*, const char*, MemListHandle**, ParamsHandle**))                   \
  X(destroy_mem_list, (MemListHandle*))                                                                \
  X(params_add, (ParamsHandle*, const char*, const char*))                                             \
  X(destroy_params, (ParamsHandle*))                                                                   \
  X(create_backend, (AgentHandle*, const char*, ParamsHandle*, BackendHandle**))                       \
  X(destroy_backend, (BackendHandle*))                                                                 \
  X(get_local_md, (AgentHandle*, void**, size_t*))                                                     \
  X(get_local_partial_md, (AgentHandle*, RegListHandle*, void**, size_t*, OptArgsHandle*))             \
  X(load_remote_md, (AgentHandle*, const void*, size_t, char**))                                       \
  X(invalidate_remote_md, (AgentHandle*, const char*))                                                 \
  X(create_opt_args, (OptArgsHandle**))                                                                \
  X(destroy_opt_args, (OptArgsHandle*))                                                                \
  X(opt_args_add_backend, (OptArgsHandle*, BackendHandle*))                                            \
  X(opt_args_set_notif_msg, (OptArgsHandle*, const void*, size_t))                                     \
  X(opt_args_set_has_notif, (OptArgsHandle*, bool))                                                    \
  X(create_reg_dlist, (int, RegListHandle**))                                                          \
  X(destroy_reg_dlist, (RegListHandle*))                                                               \
  X(reg_dlist_add_desc, (RegListHandle*, uintptr_t, size_t, uint64_t, const void*, size_t))            \
  X(register_mem, (AgentHandle*, RegListHandle*, OptArgsHandle*))                                      \
  X(deregister_mem, (AgentHandle*, RegListHandle*, OptArgsHandle*))                                    \
  X(create_xfer_dlist, (int, XferListHandle**))                                                        \
  X(destroy_xfer_dlist, (XferListHandle*))                                                             \
  X(xfer_dlist_add_desc, (XferListHandle*, uintptr_t, size_t, uint64_t))                               \
  X(create_xfer_req, (AgentHandle*, int, XferListHandle*, XferListHandle*, const char*,                \
                      RequestHandle**, OptArgsHandle*))                                                \
  X(post_xfer_req, (AgentHandle*, RequestHandle*, OptArgsHandle*))                                     \
  X(get_xfer_status, (AgentHandle*, RequestHandle*))                                                   \
  X(release_xfer_req, (AgentHandle*, RequestHandle*))                                                  \
  X(destroy_xfer_req, (RequestHandle*))                                                                \
  X(gen_notif, (AgentHandle*, const char*, const void*, size_t, OptArgsHandle*))                       \
  X(create_notif_map, (NotifMapHandle**))                                                              \
  X(destroy_notif_map, (NotifMapHandle*))                                                              \
  X(get_notifs, (AgentHandle*, NotifMapHandle*, OptArgsHandle*))                                       \
  X(notif_map_size, (NotifMapHandle*, size_t*))                                                        \
  X(notif_map_get_agent_at, (NotifMapHandle*, size_t, const char**))                                   \
  X(notif_map_get_notifs_size, (NotifMapHandle*, const char*, size_t*))                                \
  X(notif_map_get_notif, (NotifMapHandle*, const char*, size_t, const void**, size_t*))                \
  X(notif_map_clear, (NotifMapHandle*))

struct NixlApi {
#define STATOR_DECLARE(name, arguments) Status(*name) arguments = nullptr;
  STATOR_NIXL_FUNCTIONS(STATOR_DECLARE)
#undef STATOR_DECLARE
};

// Loads the library, once per process and path; it stays loaded. On failure returns null and says why in `error`.
const NixlApi* LoadNixl(const std::string& path, std::string* error);

}  // namespace stator
