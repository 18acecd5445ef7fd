// SPDX-License-Identifier: MIT
#include "ring_actor.h"

#include <poll.h>
#include <unistd.h>

#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "snakepit/shm/ring.h"

using std::chrono::milliseconds;

namespace {

std::size_t size_of(std::uint64_t number, std::size_t slot_size) {
    return 8 + number * 2654435761U % (slot_size - 7);
}

int complain(const std::string& what) {
    std::cout << "wrong: " << what << std::endl;
    return 3;
}

// A line of standard input, if there is one; false: it ended.
bool poll_line(std::string& line) {
    line.clear();
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, 0) <= 0) return true;
    return static_cast<bool>(std::getline(std::cin, line));
}

int produce(const snakepit::Client& client, const std::string& name) {
    auto ring = snakepit::Ring::open(client, name, SNAKEPIT_SHM_RING_PRODUCER, snakepit::kForever);
    if (!ring) return complain(ring.error().message);
    auto number = ring->info()->position;
    std::cout << "ready" << std::endl;
    std::string line;
    while (poll_line(line) && line != "close") {
        for (int i = 0; i < 64; ++i) {
            const auto slot = ring->acquire(milliseconds(200));
            if (!slot && slot.error().status == SNAKEPIT_SHM_TIMEOUT) break;
            if (!slot) return complain(slot.error().message);
            const auto done = slot->publish(make_frame(slot->bytes(), number));
            if (!done) return complain(done.error().message);
            ++number;
        }
    }
    ring->close();
    std::cout << number << std::endl;
    return 0;
}

struct Counts {
    std::uint64_t frames = 0, lost = 0, gone = 0, closed = 0;
    std::uint64_t ends = 0;  // told since the last frame
};

// Empty, or what is wrong.
std::string read_one(const snakepit::Ring& ring, std::vector<std::byte>& buffer,
                     std::uint64_t& next, std::uint32_t& producer, Counts& counts) {
    const auto frame = ring.pop(buffer, milliseconds(20));
    if (!frame) {
        const auto status = frame.error().status;
        counts.gone += status == SNAKEPIT_SHM_PRODUCER_GONE;
        counts.closed += status == SNAKEPIT_SHM_RING_CLOSED;
        counts.ends += status != SNAKEPIT_SHM_TIMEOUT;
        const bool expected = status == SNAKEPIT_SHM_TIMEOUT ||
                              status == SNAKEPIT_SHM_PRODUCER_GONE ||
                              status == SNAKEPIT_SHM_RING_CLOSED;
        return expected ? std::string() : frame.error().message;
    }
    if (frame->number != next + frame->lost)
        return "frame " + std::to_string(frame->number) + " after " + std::to_string(next);
    if (!is_frame({buffer.data(), frame->size}, frame->number, buffer.size()))
        return "the bytes of frame " + std::to_string(frame->number);
    // Each change of the producer is told by its end, and nothing else is.
    const auto changes = producer == 0 ? counts.ends : frame->producer - producer;
    if (counts.ends > changes || (counts.ends == 0 && changes > 0))
        return std::to_string(counts.ends) + " ends of producers before frame " +
               std::to_string(frame->number) + ", from " + std::to_string(producer) + " to " +
               std::to_string(frame->producer);
    producer = frame->producer;
    counts.ends = 0;
    ++counts.frames;
    counts.lost += frame->lost;
    next = frame->number + 1;
    return {};
}

int consume(const snakepit::Client& client, const std::string& name, bool reads) {
    auto ring = snakepit::Ring::open(client, name, SNAKEPIT_SHM_RING_CONSUMER, snakepit::kForever);
    if (!ring) return complain(ring.error().message);
    const auto described = ring->info();
    std::vector<std::byte> buffer(described->slot_size);
    auto next = described->position;
    std::uint32_t producer = 0;
    Counts counts;
    std::cout << "ready" << std::endl;
    std::string line;
    while (reads ? poll_line(line) : static_cast<bool>(std::getline(std::cin, line))) {
        if (!line.empty())
            std::cout << counts.frames << ' ' << counts.lost << ' ' << counts.gone << ' '
                      << counts.closed << std::endl;
        if (!reads) continue;
        const auto wrong = read_one(*ring, buffer, next, producer, counts);
        if (!wrong.empty()) return complain(wrong);
    }
    return 0;
}

}  // namespace

std::size_t make_frame(std::span<std::byte> slot, std::uint64_t number) {
    const auto size = size_of(number, slot.size());
    std::memcpy(slot.data(), &number, sizeof number);
    std::memset(slot.data() + 8, static_cast<int>(number % 251), size - 8);
    return size;
}

bool is_frame(std::span<const std::byte> bytes, std::uint64_t number, std::size_t slot_size) {
    if (bytes.size() != size_of(number, slot_size)) return false;
    std::uint64_t first = 0;
    std::memcpy(&first, bytes.data(), sizeof first);
    for (const auto byte : bytes.subspan(8))
        if (byte != static_cast<std::byte>(number % 251)) return false;
    return first == number;
}

int run_ring_actor(const QStringList& words) {
    const auto client = snakepit::Client::connect();
    if (!client) return complain(client.error().message);
    const auto name = words.at(1).toStdString();
    if (words.at(0) == "ring-producer") return produce(*client, name);
    return consume(*client, name, words.at(0) == "ring-consumer");
}
