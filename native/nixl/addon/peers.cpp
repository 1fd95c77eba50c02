// What an agent knows of its peers, and what they tell it.
#include "agent_thread.h"

#include <algorithm>
#include <cstdlib>

namespace stator {
namespace {

constexpr size_t kMaxLoads = 1024;
constexpr uint64_t kMinListenUs = 1000;
constexpr uint64_t kMaxListenUs = 10000;

}  // namespace

void AgentThread::Load(uint32_t operation, std::string peer, std::string base, std::string metadata) {
  Submit([=] { LoadNow(operation, peer, base, metadata); });
}

// A peer's metadata grows with each of its registrations. It is loaded anew when it has become large, and where the
// library takes no second version of the same memory; but not while transfers use it.
void AgentThread::LoadNow(uint32_t operation, const std::string& peer, const std::string& base,
                          const std::string& metadata) {
  if (agent_ == nullptr) return Fail(operation, "aborted", "the agent is closed");
  auto known = peers_.find(peer);
  if (known == peers_.end()) {
    if (!LoadMetadata(peer, base)) return Fail(operation, "invalid", "NIXL cannot read the peer's metadata");
    known = peers_.emplace(peer, 0).first;
  }
  if (metadata.empty()) return Succeed(operation);
  bool is_idle = CountTransfers(peer) == 0;
  bool is_large = known->second >= kMaxLoads && is_idle;
  if (!is_large && LoadMetadata(peer, metadata)) {
    known->second++;
    return Succeed(operation);
  }
  if (!is_idle) return Fail(operation, "refused", "NIXL cannot read the peer's descriptor");
  api_->invalidate_remote_md(agent_, peer.c_str());
  known->second = 1;
  if (LoadMetadata(peer, base) && LoadMetadata(peer, metadata)) return Succeed(operation, {}, 1);
  Fail(operation, "invalid", "NIXL cannot read the peer's descriptor");
}

bool AgentThread::LoadMetadata(const std::string& peer, const std::string& metadata) {
  if (metadata.empty()) return false;
  char* name = nullptr;
  if (api_->load_remote_md(agent_, metadata.data(), metadata.size(), &name) < 0) return false;
  bool matches = peer == name;
  if (!matches) api_->invalidate_remote_md(agent_, name);
  free(name);
  return matches;
}

void AgentThread::Forget(std::string peer) {
  Submit([=] {
    auto known = peers_.find(peer);
    if (known == peers_.end()) return;
    // Requests refer to the metadata. What is still busy keeps it until the agent closes.
    for (auto& [id, transfer] : transfers_)
      if (transfer->spec.peer == peer) transfer->is_released = transfer->is_aborting = true;
    for (auto next = transfers_.begin(); next != transfers_.end();) {
      auto id = next->first;
      bool is_its = (next++)->second->spec.peer == peer;
      if (is_its) EraseIfStopped(id);
    }
    if (CountTransfers(peer) > 0) return;
    api_->invalidate_remote_md(agent_, peer.c_str());
    peers_.erase(known);
  });
}

int AgentThread::CountTransfers(const std::string& peer) const {
  return std::count_if(transfers_.begin(), transfers_.end(),
                       [&](const auto& entry) { return entry.second->spec.peer == peer; });
}

void AgentThread::Notify(uint32_t operation, std::string peer, std::string message) {
  Submit([=] {
    Status status = api_->gen_notif(agent_, peer.c_str(), message.data(), message.size(), nullptr);
    if (status < 0) return Fail(operation, "failed", "NIXL could not send the notification");
    Succeed(operation);
  });
}

void AgentThread::Listen(bool enabled) {
  Submit([=] { listening_ = enabled; });
}

void AgentThread::PollNotifications() {
  bool any = false;
  size_t agents = 0;
  if (api_->get_notifs(agent_, notifications_, nullptr) >= 0) api_->notif_map_size(notifications_, &agents);
  for (size_t index = 0; index < agents; index++) {
    const char* agent = nullptr;
    size_t count = 0;
    if (api_->notif_map_get_agent_at(notifications_, index, &agent) < 0) continue;
    api_->notif_map_get_notifs_size(notifications_, agent, &count);
    for (size_t each = 0; each < count; each++) {
      const void* data = nullptr;
      size_t length = 0;
      if (api_->notif_map_get_notif(notifications_, agent, each, &data, &length) < 0) continue;
      any = true;
      emit_(Event{Event::kNotification, 0, {}, agent, std::string(static_cast<const char*>(data), length), 0});
    }
  }
  if (agents > 0) api_->notif_map_clear(notifications_);
  listen_us_ = any ? kMinListenUs : std::min(listen_us_ + listen_us_ / 8, kMaxListenUs);
}

}  // namespace stator
