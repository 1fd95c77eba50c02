// The transfers of an agent: requests of bounded size, one after another, so that transfers share the agent fairly and
// an abort takes effect soon even when the library copies within a call.
#include "agent_thread.h"

#include <algorithm>
#include <cstdlib>

namespace stator {
namespace {

constexpr uint64_t kStepBytes = 32u << 20;
constexpr size_t kStepPieces = 4096;
constexpr size_t kMaxLoads = 1024;

uint64_t MicrosecondsSince(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count();
}

bool IsInside(const Region& region, const Piece& piece) {
  return piece.local <= region.length && piece.length <= region.length - piece.local;
}

}  // namespace

void AgentThread::Prepare(uint32_t operation, uint32_t id, uint64_t region, TransferSpec spec, bool post_now,
                          std::string notification, bool has_notification) {
  Submit([=, spec = std::move(spec)]() mutable {
    spec.region = FindOpen(region);
    if (agent_ == nullptr || spec.region == nullptr)
      return Fail(operation, "aborted", "the local memory is no longer registered");
    if (spec.peer == name_ && (spec.own_remote = FindOpen(spec.key)) == nullptr)
      return Fail(operation, "refused", "the peer has given up this memory");
    for (const Piece& piece : spec.pieces)
      if (!IsInside(*spec.region, piece)) return Fail(operation, "out_of_range", "a range is outside the memory");
    size_t scratch = ledger_.Take(0);
    if (scratch == Ledger::kNone) return Fail(operation, "failed", "there are too many transfers (65,536)");
    auto owned = std::make_unique<Transfer>();
    Transfer& transfer = *owned;
    transfer.id = id;
    transfer.spec = std::move(spec);
    transfer.scratch_slot = scratch;
    transfer.spec.region->users++;
    if (transfer.spec.own_remote != nullptr) transfer.spec.own_remote->users++;
    transfers_[id] = std::move(owned);
    std::string error;
    if (!Build(transfer, &error)) {
      Fail(operation, "refused", error);
      transfer.is_released = true;
      return EraseIfStopped(id);
    }
    if (!post_now) return Succeed(operation);
    transfer.is_released = true;  // Nobody will post it again.
    StartNow(transfer, operation, std::move(notification), has_notification);
  });
}

void AgentThread::Post(uint32_t operation, uint32_t id, std::string notification, bool has_notification) {
  Submit([=] {
    auto found = transfers_.find(id);
    if (found == transfers_.end()) return Fail(operation, "aborted", "the transfer was disposed of");
    Transfer& transfer = *found->second;
    if (transfer.is_running) return Fail(operation, "invalid", "the transfer is still running");
    const TransferSpec& spec = transfer.spec;
    if (spec.own_remote != nullptr && spec.own_remote->closing)
      return Fail(operation, "refused", "the peer has given up this memory");
    if (spec.region->closing)
      return Fail(operation, "aborted", "the local memory is no longer registered");
    std::string error;
    if (transfer.steps.empty() && !Build(transfer, &error)) return Fail(operation, "refused", error);
    StartNow(transfer, operation, notification, has_notification);
  });
}

void AgentThread::Abort(uint32_t id) {
  Submit([=] {
    auto found = transfers_.find(id);
    if (found != transfers_.end() && found->second->is_running) found->second->is_aborting = true;
  });
}

void AgentThread::Release(uint32_t id) {
  Submit([=] {
    auto found = transfers_.find(id);
    if (found == transfers_.end()) return;
    found->second->is_released = true;
    if (found->second->is_running)
      found->second->is_aborting = true;
    else
      EraseIfStopped(id);
  });
}

bool AgentThread::Build(Transfer& transfer, std::string* error) {
  const TransferSpec& spec = transfer.spec;
  const Region& region = *spec.region;
  const std::vector<Piece> check = {{0, 0, sizeof(uint64_t)}};
  bool built = true;
  auto add_check = [&] {
    if (spec.key_address == 0) return;
    built = built && AddStep(transfer, MemoryType::kDram, check, ledger_.Address(transfer.scratch_slot), 0,
                             spec.key_address, Direction::kRead, true);
  };
  if (spec.direction == Direction::kWrite) add_check();
  std::vector<Piece> step;
  uint64_t bytes = 0;
  auto flush = [&] {
    if (step.empty()) return;
    built = built && AddStep(transfer, region.type, step, region.address, region.device, spec.remote_base,
                             spec.direction, false);
    step.clear();
    bytes = 0;
  };
  for (Piece rest : spec.pieces) {
    while (rest.length > 0) {
      uint64_t length = std::min(rest.length, kStepBytes - bytes);
      step.push_back({rest.local, rest.remote, length});
      bytes += length;
      rest = {rest.local + length, rest.remote + length, rest.length - length};
      if (bytes == kStepBytes || step.size() == kStepPieces) flush();
    }
  }
  flush();
  if (spec.direction == Direction::kRead) add_check();
  if (!built) {
    DropSteps(transfer);
    *error = "NIXL refused the transfer: the peer has not registered this memory, or no backend reaches it";
  }
  return built;
}

bool AgentThread::AddStep(Transfer& transfer, MemoryType local_type, const std::vector<Piece>& pieces,
                          uint64_t local_base, uint64_t local_device, uint64_t remote_base, Direction direction,
                          bool is_check) {
  const TransferSpec& spec = transfer.spec;
  // A file is addressed by offset.
  MemoryType remote_type = is_check ? MemoryType::kDram : spec.remote_type;
  XferListHandle *local = nullptr, *remote = nullptr;
  api_->create_xfer_dlist(static_cast<int>(local_type), &local);
  api_->create_xfer_dlist(static_cast<int>(remote_type), &remote);
  for (const Piece& piece : pieces) {
    api_->xfer_dlist_add_desc(local, local_base + piece.local, piece.length, local_device);
    api_->xfer_dlist_add_desc(remote, remote_base + piece.remote, piece.length, is_check ? 0 : spec.remote_device);
  }
  RequestHandle* request = nullptr;
  Status status = api_->create_xfer_req(agent_, static_cast<int>(direction), local, remote, spec.peer.c_str(),
                                        &request, nullptr);
  api_->destroy_xfer_dlist(local);
  api_->destroy_xfer_dlist(remote);
  if (status < 0) return false;
  transfer.steps.push_back({request, is_check});
  return true;
}

void AgentThread::StartNow(Transfer& transfer, uint32_t operation, std::string notification, bool has_notification) {
  transfer.operation = operation;
  transfer.notification = std::move(notification);
  transfer.has_notification = has_notification;
  transfer.started = Clock::now();
  transfer.next = 0;
  transfer.is_running = true;
  running_++;
  poll_us_ = 0;
}

// Looks at a running transfer, and posts its next request if the last one is done. @returns whether it got further
bool AgentThread::Advance(Transfer& transfer) {
  Step& step = transfer.steps[transfer.next];
  Status status;
  if (transfer.is_posted) {
    status = api_->get_xfer_status(agent_, step.request);
  } else {
    OptArgsHandle* options = nullptr;
    bool is_last = transfer.next + 1 == transfer.steps.size();
    if (is_last && transfer.has_notification) {
      api_->create_opt_args(&options);
      api_->opt_args_set_notif_msg(options, transfer.notification.data(), transfer.notification.size());
      api_->opt_args_set_has_notif(options, true);
    }
    transfer.step_started = Clock::now();
    transfer.is_posted = true;
    status = api_->post_xfer_req(agent_, step.request, options);
    if (options != nullptr) api_->destroy_opt_args(options);
  }
  if (status == kInProgress) {
    if (MicrosecondsSince(transfer.step_started) < stall_us_) return false;
    Finish(transfer, "peer_lost", "the peer did not answer in time");
    return true;
  }
  if (status < 0) {
    Finish(transfer, "peer_lost", "NIXL reports that the transfer failed");
    return true;
  }
  transfer.is_posted = false;
  if (step.is_check && ledger_.Get(transfer.scratch_slot) != transfer.spec.key) {
    Finish(transfer, "refused", "the peer has given up this memory");
    return true;
  }
  if (++transfer.next == transfer.steps.size()) Finish(transfer, "", {});
  return true;
}

void AgentThread::Finish(Transfer& transfer, const char* code, std::string message) {
  transfer.is_running = false;
  running_--;
  emit_(Event{Event::kResult, transfer.operation, code, std::move(message), {}, MicrosecondsSince(transfer.started)});
}

// Releases the requests, unless the library is still busy with one and does not give it up.
bool AgentThread::DropSteps(Transfer& transfer) {
  for (size_t index = 0; index < transfer.steps.size(); index++) {
    RequestHandle*& request = transfer.steps[index].request;
    if (request == nullptr) continue;
    bool is_busy = transfer.is_posted && index == transfer.next &&
                   api_->get_xfer_status(agent_, request) == kInProgress;
    Status status = api_->release_xfer_req(agent_, request);
    if (is_busy && status != kDone) return false;
    api_->destroy_xfer_req(request);
    request = nullptr;
  }
  transfer.steps.clear();
  transfer.is_posted = false;
  return true;
}

void AgentThread::EraseIfStopped(uint32_t id) {
  auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  Transfer& transfer = *found->second;
  if (!DropSteps(transfer)) {
    transfer.is_aborting = true;
    return;
  }
  if (transfer.is_running) Finish(transfer, "aborted", "the transfer was aborted");
  ledger_.GiveBack(transfer.scratch_slot);
  std::shared_ptr<Region> region = transfer.spec.region, own_remote = transfer.spec.own_remote;
  transfers_.erase(found);
  LetGo(region);
  LetGo(own_remote);
}

bool AgentThread::PollTransfers() {
  bool progressed = false;
  for (auto next = transfers_.begin(); next != transfers_.end();) {
    uint32_t id = next->first;
    Transfer& transfer = *(next++)->second;
    if (!transfer.is_running) continue;
    if (!transfer.is_aborting) {
      progressed = Advance(transfer) || progressed;
      if (transfer.is_running) continue;
      // After a failure, the library may still hold the request.
      if (transfer.is_posted && !DropSteps(transfer)) {
        transfer.is_aborting = transfer.is_running = true;
        running_++;
        transfer.operation = 0;
        continue;
      }
    } else if (!DropSteps(transfer)) {
      continue;
    } else {
      transfer.is_aborting = false;
      Finish(transfer, "aborted", "the transfer was aborted");
    }
    progressed = true;
    if (transfer.is_released) EraseIfStopped(id);
  }
  return progressed;
}

int AgentThread::CountTransfers(const std::string& peer) const {
  return std::count_if(transfers_.begin(), transfers_.end(),
                       [&](const auto& entry) { return entry.second->spec.peer == peer; });
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

}  // namespace stator
