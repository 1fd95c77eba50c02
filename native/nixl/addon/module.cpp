// The addon's face to JavaScript: a thin, checked layer over AgentThread. native/nixl/addon.ts types it.
#include <napi.h>

#include "agent_thread.h"

namespace stator {
namespace {

std::string BytesOf(const Napi::Value& value) {
  if (!value.IsTypedArray()) return {};
  auto bytes = value.As<Napi::Uint8Array>();
  return std::string(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength());
}

uint64_t Unsigned(const Napi::Value& value) {
  bool lossless;
  return value.As<Napi::BigInt>().Uint64Value(&lossless);
}

uint32_t Number(const Napi::Value& value) { return value.As<Napi::Number>().Uint32Value(); }

// The ArrayBuffer holds the mapping; so does each registration.
Napi::Value Allocate(const Napi::CallbackInfo& info) {
  size_t bytes = static_cast<size_t>(info[0].As<Napi::Number>().Int64Value());
  std::shared_ptr<Mapping> mapping = Mapping::Create(bytes);
  if (!mapping) throw Napi::Error::New(info.Env(), "there is not enough memory");
  void* start = mapping->start();
  return Napi::ArrayBuffer::New(info.Env(), start, bytes, [mapping](Napi::Env, void*) {});
}

class NativeAgent : public Napi::ObjectWrap<NativeAgent> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(
        env, "NativeAgent",
        {InstanceMethod("open", &NativeAgent::Open), InstanceMethod("register", &NativeAgent::Register),
         InstanceMethod("deregister", &NativeAgent::Deregister), InstanceMethod("load", &NativeAgent::Load),
         InstanceMethod("forget", &NativeAgent::Forget), InstanceMethod("prepare", &NativeAgent::Prepare),
         InstanceMethod("post", &NativeAgent::Post), InstanceMethod("abort", &NativeAgent::Abort),
         InstanceMethod("release", &NativeAgent::Release), InstanceMethod("notify", &NativeAgent::Notify),
         InstanceMethod("listen", &NativeAgent::Listen), InstanceMethod("stop", &NativeAgent::Stop),
         InstanceMethod("keepAlive", &NativeAgent::KeepAlive)});
  }

  // (library, name, [key, value, …], stall timeout in µs, onEvent)
  explicit NativeAgent(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeAgent>(info) {
    Napi::Env env = info.Env();
    std::string error;
    const NixlApi* api = LoadNixl(info[0].As<Napi::String>(), &error);
    if (api == nullptr) throw Napi::Error::New(env, error);
    AgentThread::Parameters parameters;
    auto list = info[2].As<Napi::Array>();
    for (uint32_t index = 0; index + 1 < list.Length(); index += 2)
      parameters.emplace_back(list.Get(index).As<Napi::String>(), list.Get(index + 1).As<Napi::String>());
    events_ = Napi::ThreadSafeFunction::New(env, info[4].As<Napi::Function>(), "stator.nixl", 0, 1);
    events_.Unref(env);
    thread_ = std::make_unique<AgentThread>(
        api, info[1].As<Napi::String>(), std::move(parameters),
        static_cast<uint64_t>(info[3].As<Napi::Number>().Int64Value()),
        [this](Event&& event) { Emit(std::move(event)); });
    // Added after the thread-safe function's own hook, so it runs before it.
    napi_add_env_cleanup_hook(env, &NativeAgent::EndEnvironment, this);
  }

  ~NativeAgent() override { End(); }

 private:
  static void EndEnvironment(void* self) { static_cast<NativeAgent*>(self)->End(); }

  void End() {
    if (!thread_) return;
    thread_.reset();
    napi_remove_env_cleanup_hook(Env(), &NativeAgent::EndEnvironment, this);
  }

  // On the agent's thread.
  void Emit(Event&& event) {
    auto* moved = new Event(std::move(event));
    bool is_last = moved->kind == Event::kClosed;
    auto deliver = [this](Napi::Env env, Napi::Function listener, Event* raw) {
      std::unique_ptr<Event> owned(raw);
      if (static_cast<napi_env>(env) == nullptr) return;
      if (owned->kind == Event::kDeregistered) {
        memory_.erase(owned->number);
        regions_.erase(owned->number);
      }
      try {
        auto payload = Napi::Buffer<char>::Copy(env, owned->payload.data(), owned->payload.size());
        listener.Call({Napi::Number::New(env, owned->kind), Napi::Number::New(env, owned->operation),
                       Napi::String::New(env, owned->code), Napi::String::New(env, owned->message), payload,
                       Napi::BigInt::New(env, owned->number)});
      } catch (const Napi::Error&) {
        // The thread of this environment is being terminated; the listener itself does not throw.
      }
    };
    if (events_.NonBlockingCall(moved, deliver) != napi_ok) delete moved;
    if (is_last) events_.Release();
  }

  AgentThread& Thread(const Napi::CallbackInfo& info) {
    if (!thread_) throw Napi::Error::New(info.Env(), "the agent is closed");
    return *thread_;
  }

  void Open(const Napi::CallbackInfo& info) { Thread(info).Open(Number(info[0])); }

  // (operation, id, key, type, memory or undefined, address, length, device)
  void Register(const Napi::CallbackInfo& info) {
    auto region = std::make_shared<Region>();
    region->id = Unsigned(info[1]);
    region->type = static_cast<MemoryType>(info[3].As<Napi::Number>().Int32Value());
    region->device = Unsigned(info[7]);
    if (info[4].IsTypedArray()) {
      auto bytes = info[4].As<Napi::Uint8Array>();
      region->address = reinterpret_cast<uintptr_t>(bytes.Data());
      region->length = bytes.ByteLength();
      region->mapping = Mapping::Find(bytes.Data());
      // Held until the library has let go of it.
      memory_[region->id] = Napi::Persistent(info[4].As<Napi::Object>());
    } else {
      region->address = Unsigned(info[5]);
      region->length = Unsigned(info[6]);
    }
    regions_[region->id] = region;
    Thread(info).Register(Number(info[0]), region, Unsigned(info[2]));
  }

  void Deregister(const Napi::CallbackInfo& info) {
    auto found = regions_.find(Unsigned(info[0]));
    if (found != regions_.end()) Thread(info).Deregister(found->second);
  }

  // (operation, peer, metadata of the agent, metadata of a registration)
  void Load(const Napi::CallbackInfo& info) {
    Thread(info).Load(Number(info[0]), info[1].As<Napi::String>(), BytesOf(info[2]), BytesOf(info[3]));
  }

  void Forget(const Napi::CallbackInfo& info) { Thread(info).Forget(info[0].As<Napi::String>()); }

  // (operation, transfer, direction, region, [local, remote, length, …], peer, type, base, device, key address, key,
  // whether to post, notification or undefined)
  void Prepare(const Napi::CallbackInfo& info) {
    TransferSpec spec;
    spec.direction = static_cast<Direction>(info[2].As<Napi::Number>().Int32Value());
    auto pieces = info[4].As<Napi::Float64Array>();
    spec.pieces.reserve(pieces.ElementLength() / 3);
    for (size_t index = 0; index + 2 < pieces.ElementLength(); index += 3)
      spec.pieces.push_back({static_cast<uint64_t>(pieces[index]), static_cast<uint64_t>(pieces[index + 1]),
                             static_cast<uint64_t>(pieces[index + 2])});
    spec.peer = info[5].As<Napi::String>();
    spec.remote_type = static_cast<MemoryType>(info[6].As<Napi::Number>().Int32Value());
    spec.remote_base = Unsigned(info[7]);
    spec.remote_device = Unsigned(info[8]);
    spec.key_address = Unsigned(info[9]);
    spec.key = Unsigned(info[10]);
    Thread(info).Prepare(Number(info[0]), Number(info[1]), Unsigned(info[3]), std::move(spec),
                         info[11].ToBoolean(), BytesOf(info[12]), info[12].IsTypedArray());
  }

  // (operation, transfer, notification or undefined)
  void Post(const Napi::CallbackInfo& info) {
    Thread(info).Post(Number(info[0]), Number(info[1]), BytesOf(info[2]), info[2].IsTypedArray());
  }

  void Abort(const Napi::CallbackInfo& info) { Thread(info).Abort(Number(info[0])); }
  void Release(const Napi::CallbackInfo& info) { Thread(info).Release(Number(info[0])); }

  // (operation, peer, message)
  void Notify(const Napi::CallbackInfo& info) {
    Thread(info).Notify(Number(info[0]), info[1].As<Napi::String>(), BytesOf(info[2]));
  }

  void Listen(const Napi::CallbackInfo& info) { Thread(info).Listen(info[0].ToBoolean()); }
  void Stop(const Napi::CallbackInfo& info) { Thread(info).Stop(); }

  // Whether the event loop keeps running for this agent.
  void KeepAlive(const Napi::CallbackInfo& info) {
    info[0].ToBoolean() ? events_.Ref(info.Env()) : events_.Unref(info.Env());
  }

  Napi::ThreadSafeFunction events_;
  std::unique_ptr<AgentThread> thread_;
  // Until the library has let go of them.
  std::unordered_map<uint64_t, std::shared_ptr<Region>> regions_;
  std::unordered_map<uint64_t, Napi::ObjectReference> memory_;
};

Napi::Object Start(Napi::Env env, Napi::Object exports) {
  exports.Set("allocate", Napi::Function::New(env, Allocate));
  exports.Set("NativeAgent", NativeAgent::Define(env));
  return exports;
}

}  // namespace
}  // namespace stator

static Napi::Object Initialize(Napi::Env env, Napi::Object exports) { return stator::Start(env, exports); }

NODE_API_MODULE(stator_nixl, Initialize)
