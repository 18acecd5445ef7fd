// SPDX-License-Identifier: MIT
// A whole service, fed with frames by clients that mean harm, and with lies in the lease pages they
// own. It goes on, and everything it answers can be read.
//
// An input is a list of steps: which client does what. Frames come from the input, or from the
// schema by a number in it.
#include <unistd.h>
#include <QTemporaryDir>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "schema_frames.h"
#include "server/server.h"
#include "service_bench.h"

using namespace snakepit::shm;

namespace {

constexpr std::size_t kClients = 3;
constexpr int kInputsPerWorld = 200;  // then a new one: what piles up is not what is looked for

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size)
        : bytes_(std::as_bytes(std::span(data, size))) {}
    bool empty() const { return bytes_.empty(); }
    std::span<const std::byte> take(std::size_t size) {
        const auto out = bytes_.first(std::min(size, bytes_.size()));
        bytes_ = bytes_.subspan(out.size());
        return out;
    }
    template <typename T>
    T number() {
        T out{};
        const auto bytes = take(sizeof(T));
        std::memcpy(&out, bytes.data(), bytes.size());
        return out;
    }

  private:
    std::span<const std::byte> bytes_;
};

struct Client {
    Channel channel;
    Frame frame;
    Handle page_file;
    Mapping page;
};

class World {
  public:
    World() {
        bench_.memory->processes[::getpid()] = *inspect_process(::getpid());
        auto listener = Listener::bind(socket_);
        if (!listener) std::abort();
        server_ = std::make_unique<Server>(
            io_, *bench_.state, *bench_.service, std::move(*listener),
            [](const std::string&, const Caller&) { return Result<std::string>("{}"); },
            [](const Credentials&) { return Result<std::string>("{}"); }, [] {});
        server_->start();
    }
    ~World() {
        for (auto& client : clients_) client = {};
        io_.poll();
        server_.reset();
    }

    void step(Input& input) {
        const auto what = input.number<std::uint8_t>();
        auto& client = clients_[what / 8 % kClients];
        switch (what % 8) {
            case 0:
                open(client, input.number<std::uint8_t>() % 2 == 0);
                break;
            case 1:
            case 2:
                send(client, input.take(input.number<std::uint16_t>()));
                break;
            case 3:
            case 4: {
                SchemaFrames frames(input.number<std::uint32_t>(), regions());
                send(client, frames.frame(input.number<std::uint8_t>() % frames.calls().size()));
                break;
            }
            case 5:
            case 6:
                lie(client, input);
                break;
            default:
                time_ += input.number<std::uint32_t>();
                bench_.service->tick(time_);
        }
        turn(client);
    }

  private:
    void open(Client& client, bool lease) {
        client = {};
        io_.poll();
        auto channel = Channel::connect(socket_);
        if (!channel) return;
        client.channel = std::move(*channel);
        wire::HelloT hello;
        hello.version = kProtocolVersion;
        hello.lease = lease;
        wire::RequestT request;
        request.call.Set(std::move(hello));
        Encoder encoder;
        send(client, encoder.encode(request));
    }
    static void send(Client& client, std::span<const std::byte> frame) {
        if (client.channel.valid()) (void)client.channel.send(frame);
    }
    void lie(Client& client, Input& input) const {
        const auto slot = input.number<std::uint8_t>();
        const auto word = input.number<std::uint64_t>();
        if (!client.page.valid() || !test::page_has(client.page_file, slot)) return;
        const layout::LeasePage lease(client.page.data());
        lease.word(slot).store(word);
        lease.lock(slot).word.store(word);
        lease.acquisitions(slot).store(static_cast<std::uint32_t>(word));
        lease.mark(slot);
    }
    // The service works, and everything that comes back can be read.
    void turn(Client& client) {
        io_.restart();
        io_.poll();
        while (client.channel.valid()) {
            const auto got = client.channel.receive(client.frame);
            if (!got || *got == Io::closed) return client.channel.close();
            if (*got == Io::again) return;
            const auto reply = decode_reply(client.frame.bytes);
            if (!reply) std::abort();
            if (reply->answer.AsWelcome() && !client.frame.handles.empty()) {
                auto page = Mapping::map(client.frame.handles.front(), layout::LeaseOffsets::end,
                                         Mapping::Access::read_write);
                if (!page) continue;
                client.page = std::move(*page);
                client.page_file = std::move(client.frame.handles.front());
            }
        }
    }
    std::vector<RegionId> regions() {
        std::vector<RegionId> out;
        const auto& registry = bench_.state->registry;
        for (const auto slot : registry.used()) {
            out.push_back(registry.id(slot));
            if (out.size() == 8) break;
        }
        return out;
    }

    QTemporaryDir directory_{"/dev/shm/snakepit-fuzz-XXXXXX"};
    std::string socket_ = directory_.filePath("control.sock").toStdString();
    boost::asio::io_context io_;
    test::ServiceBench bench_;
    std::unique_ptr<Server> server_;
    Client clients_[kClients];
    std::int64_t time_ = now().micros;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static std::unique_ptr<World> world;
    static int inputs = 0;
    if (!world || ++inputs % kInputsPerWorld == 0) {
        world.reset();
        world = std::make_unique<World>();
    }
    Input input(data, size);
    while (!input.empty()) world->step(input);
    return 0;
}
