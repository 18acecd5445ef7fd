// SPDX-License-Identifier: MIT
#include "keeper.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "client/manager_client.h"

using namespace snakepit::shm;

namespace {

constexpr std::string_view kMark = "kept by a keeper";

class Keeper {
  public:
    explicit Keeper(RegionId id) : id_(id) {}
    int run();

  private:
    std::string connect_and_map();
    std::string map();
    std::string unmap();
    std::string split(bool adopt);
    std::string obey(const std::string& line);

    RegionId id_;
    std::unique_ptr<ManagerClient> client_;
    MappedRegion mapping_;
};

std::string Keeper::map() {
    const auto mapped = client_->map(id_, AccessMode::read_write);
    if (!mapped) return std::string(to_string(mapped.error().code));
    mapping_ = *mapped;
    std::memcpy(mapping_.data, kMark.data(), kMark.size());
    return "ok";
}

std::string Keeper::connect_and_map() {
    auto client = ManagerClient::connect();
    if (!client) return std::string(to_string(client.error().code));
    client_ = std::move(*client);
    return map();
}

std::string Keeper::unmap() {
    const auto given = client_->unmap(mapping_);
    return given ? "ok" : std::string(to_string(given.error().code));
}

std::string Keeper::split(bool adopt) {
    std::array<int, 2> answer{};
    if (::pipe(answer.data()) != 0) return "no pipe";
    const auto child = ::fork();
    if (child == 0) {
        if (adopt) client_.reset();
        auto said = adopt ? connect_and_map() : map();
        said.resize(64, ' ');
        if (::write(answer[1], said.data(), said.size()) < 0) ::_exit(1);
        for (;;) ::pause();
    }
    std::array<char, 65> said{};
    if (::read(answer[0], said.data(), 64) != 64) return "no answer";
    ::close(answer[0]);
    ::close(answer[1]);
    std::string word(said.data());
    return "child " + std::to_string(child) + " " + word.substr(0, word.find(' '));
}

std::string Keeper::obey(const std::string& line) {
    if (line == "verify")
        return std::memcmp(mapping_.data, kMark.data(), kMark.size()) == 0 ? "good" : "bad";
    if (line == "map") return map();
    if (line == "unmap") return unmap();
    if (line == "fork" || line == "adopt") return split(line == "adopt");
    if (line == "close") {
        ::close_range(3, ~0U, 0);
        return "ok";
    }
    if (line == "exec") ::execlp("sleep", "sleep", "1000", nullptr);
    return "what?";
}

int Keeper::run() {
    std::cout << connect_and_map() << std::endl;
    for (std::string line; std::getline(std::cin, line);) std::cout << obey(line) << std::endl;
    return 0;
}

}  // namespace

int run_keeper(const std::string& region) {
    const auto id = RegionId::parse(region);
    return id ? Keeper(*id).run() : 2;
}
