// The requests that a transfer consists of, of bounded size.
#include "agent_thread.h"

#include <algorithm>

namespace stator {
namespace {

constexpr uint64_t kStepBytes = 32u << 20;
constexpr size_t kStepPieces = 4096;

}  // namespace

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

}  // namespace stator
