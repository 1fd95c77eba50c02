// The transfers of an agent: requests of bounded size, one after another, so that transfers share the agent fairly and
// an abort takes effect soon even when the library copies within a call.
#include "agent_thread.h"

namespace stator {
namespace {

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
}  // namespace stator
