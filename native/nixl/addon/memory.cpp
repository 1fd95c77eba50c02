// The memory that an agent has registered.
#include "agent_thread.h"

#include <cstdlib>

namespace stator {

void AgentThread::Register(uint32_t operation, std::shared_ptr<Region> region, uint64_t key) {
  Submit([=] { RegisterNow(operation, region, key); });
}

// The key goes at once, so that peers are refused from now on; the memory once no transfer uses it.
void AgentThread::Deregister(const std::shared_ptr<Region>& region) {
  ledger_.Set(region->slot, 0);
  Submit([=] {
    if (regions_.count(region->id) == 0 || region->closing) return;
    region->closing = true;
    if (region->users == 0) DeregisterNow(*region);
  });
}

void AgentThread::RegisterNow(uint32_t operation, std::shared_ptr<Region> region, uint64_t key) {
  // Whatever happens, the event loop's side holds the memory until it is told otherwise.
  auto fail = [&](const char* code, const char* message) {
    Fail(operation, code, message);
    emit_(Event{Event::kDeregistered, 0, {}, {}, {}, region->id});
  };
  if (agent_ == nullptr) return fail("aborted", "the agent is closed");
  region->slot = ledger_.Take(key);
  if (region->slot == Ledger::kNone) return fail("failed", "there are too many registrations (65,536)");
  api_->create_reg_dlist(static_cast<int>(region->type), &region->list);
  api_->reg_dlist_add_desc(region->list, region->address, region->length, region->device, nullptr, 0);
  if (api_->register_mem(agent_, region->list, nullptr) < 0) {
    api_->destroy_reg_dlist(region->list);
    ledger_.GiveBack(region->slot);
    return fail("unavailable", "NIXL has no backend on this machine that can register this memory");
  }
  regions_[region->id] = region;
  std::string metadata(reinterpret_cast<const char*>(&region->address), sizeof region->address);
  void* data = nullptr;
  size_t length = 0;
  // A file has none: only the agent itself can use it.
  if (region->type != MemoryType::kFile &&
      api_->get_local_partial_md(agent_, region->list, &data, &length, nullptr) >= 0) {
    metadata.append(static_cast<const char*>(data), length);
    free(data);
  }
  Succeed(operation, metadata, ledger_.Address(region->slot));
}

void AgentThread::DeregisterNow(Region& region) {
  uint64_t id = region.id;
  api_->deregister_mem(agent_, region.list, nullptr);
  api_->destroy_reg_dlist(region.list);
  ledger_.GiveBack(region.slot);
  regions_.erase(id);
  emit_(Event{Event::kDeregistered, 0, {}, {}, {}, id});
}

std::shared_ptr<Region> AgentThread::FindOpen(uint64_t id) const {
  auto found = regions_.find(id);
  return found == regions_.end() || found->second->closing ? nullptr : found->second;
}

// Ends one transfer's use of a region.
void AgentThread::LetGo(const std::shared_ptr<Region>& region) {
  if (region != nullptr && --region->users == 0 && region->closing) DeregisterNow(*region);
}

}  // namespace stator
