// SPDX-License-Identifier: MIT
// Requests to the manager, compared with the minimum cost of a request: one frame each way and a
// descriptor, between processes on the same processors.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "base/handle.h"
#include "platform/linux/attach_descriptors.h"
#include "service_process.h"

namespace snakepit::shm::bench {

namespace {

constexpr std::uint64_t kRegionBytes = 1 << 20;
constexpr int kBatch = 50;

// The minimal service: answers each frame with a frame and a descriptor.
class DescriptorServer {
  public:
    explicit DescriptorServer(int processor)
        : child_([=, this] {
              ends_.ours.reset();
              pin_thread(0, processor);
              serve(ends_.theirs);
          }) {
        ends_.theirs.reset();
    }

    void round_trip() const {
        char text[64] = {};
        if (::send(ends_.ours.get(), text, sizeof text, 0) != sizeof text) std::abort();
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        iovec part{text, sizeof text};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        if (::recvmsg(ends_.ours.get(), &message, MSG_CMSG_CLOEXEC) <= 0) std::abort();
        const auto* header = CMSG_FIRSTHDR(&message);
        if (!header) std::abort();
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
        ::close(descriptor);
    }

  private:
    struct Ends {
        Ends() {
            int pair[2];
            if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) std::abort();
            ours.reset(pair[0]);
            theirs.reset(pair[1]);
        }
        Handle ours, theirs;
    };
    static void serve(const Handle& socket) {
        const Handle object(::memfd_create("bench", MFD_CLOEXEC));
        char text[64];
        while (::recv(socket.get(), text, sizeof text, 0) > 0) {
            alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
            iovec part{text, sizeof text};
            msghdr message{};
            message.msg_iov = &part;
            message.msg_iovlen = 1;
            const int descriptor = object.get();
            attach_descriptors(message, control, {&descriptor, 1});
            ::sendmsg(socket.get(), &message, MSG_NOSIGNAL);
        }
    }

    Ends ends_;
    Child child_;
};

struct Figures {
    std::vector<double> round_trip, first_map, allocate, deallocate;
};

// One batch of regions that `owner` makes and `user` maps for the first time.
Status one_round(Figures& figures, const DescriptorServer& server, ManagerClient& owner,
                 ManagerClient& user) {
    figures.round_trip.push_back(nanos_each(kBatch, [&] { server.round_trip(); }));
    std::vector<RegionId> ids;
    std::vector<MappedRegion> mappings;
    std::optional<Error> failed;
    const auto keep = [&](auto& list, auto result) {
        if (result)
            list.push_back(*result);
        else
            failed = std::move(result).error();
    };
    RegionOptions asks;
    asks.placement = Placement::pooled;  // by default, a size that is allocated often asks nobody
    const auto allocated =
        nanos_each(kBatch, [&] { keep(ids, owner.allocate(kRegionBytes, asks)); });
    if (failed) return fail(std::move(*failed));
    auto id = ids.begin();
    figures.first_map.push_back(
        nanos_each(kBatch, [&] { keep(mappings, user.map(*id++, AccessMode::read_write)); }));
    for (const auto& mapping : mappings) SHM_TRY(user.unmap(mapping));
    id = ids.begin();
    figures.deallocate.push_back(
        nanos_each(kBatch, [&] { static_cast<void>(owner.deallocate(*id++)); }));
    if (failed) return fail(std::move(*failed));
    figures.allocate.push_back(allocated);
    return {};
}

// Both sides pinned in the same way, for the floor and for ours.
Status measure_at(Report& report, const ServiceProcess& service, int asking, int answering) {
    const Pinned here(asking);
    service.pin(answering);
    const DescriptorServer server(answering);
    SHM_ASSIGN(const auto owner, ServiceProcess::connect());
    SHM_ASSIGN(const auto user, ServiceProcess::connect());
    Figures figures;
    for (int i = 0; i < report.options().rounds(); ++i)
        SHM_TRY(one_round(figures, server, *owner, *user));
    const auto* where = asking == answering ? "one processor" : "two processors";
    const auto* floor = "raw round trip with a descriptor, the same processors";
    const auto trip = median(figures.round_trip);
    const auto add = [&](const char* what, std::vector<double> ours) {
        report.add(
            {fmt::format("{}, {}", what, where), floor, "ns", trip, median(std::move(ours)), 1.5});
    };
    add("first map of a region", figures.first_map);
    add("allocate 1 MiB from another process", figures.allocate);
    report.add({fmt::format("allocate + deallocate from another process, {}", where),
                "two raw round trips with a descriptor", "ns", 2 * trip,
                median(figures.allocate) + median(figures.deallocate), 1.5});
    return {};
}

}  // namespace

void measure_round_trips(Report& report) {
    const ServiceProcess service;
    const auto available = processors();
    if (const auto ready = ServiceProcess::connect(); !ready)
        return report.skip("first map, allocate", ready.error());
    for (const int answering : {available.front(), available.back()}) {
        if (const auto done = measure_at(report, service, available.front(), answering); !done)
            report.skip("first map, allocate", done.error());
        if (available.size() == 1) break;
    }
}

}  // namespace snakepit::shm::bench
