// SPDX-License-Identifier: MIT
#include "locker.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <iostream>
#include <mutex>
#include <random>
#include <sstream>
#include <thread>

#include "client/manager_client.h"

using namespace snakepit::shm;

namespace {

std::string code_of(const Error& error) {
    return std::string(to_string(error.code)) + " " + error.sentence();
}

std::string forked(ManagerClient& client, const RegionId& id) {
    const auto child = ::fork();
    if (child == 0) {
        const auto locked = client.lock(id, AccessMode::read_write, 1000);
        ::_exit(!locked && locked.error().code == ErrorCode::forked ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status == 0 ? "forked" : "something else";
}

std::string obey(ManagerClient& client, const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    std::string region;
    words >> verb >> region;
    const auto id = RegionId::parse(region);
    if (!id) return code_of(id.error());
    if (verb == "fork") return forked(client, *id);
    if (verb == "unlock") {
        std::uint64_t token = 0;
        words >> token;
        const auto given = client.unlock(*id, token);
        return given ? "ok" : code_of(given.error());
    }
    std::string mode;
    std::uint32_t timeout_ms = 0;
    words >> mode >> timeout_ms;
    const auto access = mode == "w" ? AccessMode::read_write : AccessMode::read_only;
    const auto locked = client.lock(*id, access, timeout_ms);
    if (!locked) return code_of(locked.error());
    return (locked->inconsistent ? "inconsistent " : "granted ") + std::to_string(locked->token);
}

constexpr int kFewest = 300;  // steps of a thread, however soon it is told to stop

// A writer makes the two words differ for a while: whoever sees that was not kept out.
class Worker {
  public:
    Worker(ManagerClient& client, std::vector<RegionId> ids, unsigned seed)
        : client_(client), ids_(std::move(ids)), random_(seed) {}

    void run(const std::atomic<bool>& enough) {
        for (int i = 0; (!enough || i < kFewest) && trouble.empty(); ++i) step(0);
    }
    std::string trouble;
    int locks = 0;

  private:
    // Some region from `first` on, and while it is held perhaps one behind it: in one order, so no
    // circle can be.
    void step(std::size_t first) {
        if (first >= ids_.size()) return;
        const auto index = first + random_() % (ids_.size() - first);
        const auto access = random_() % 3 == 0 ? AccessMode::read_write : AccessMode::read_only;
        const auto locked = client_.lock(ids_[index], access, kLockForever);
        if (!locked) return complain(locked.error().sentence());
        ++locks;
        look(ids_[index], access);
        if (random_() % 2 == 0) step(index + 1);
        if (const auto given = client_.unlock(ids_[index], locked->token); !given)
            complain(given.error().sentence());
    }
    void look(const RegionId& id, AccessMode access) {
        const auto mapped = client_.map(id, access);
        if (!mapped) return complain(mapped.error().sentence());
        auto* words = reinterpret_cast<volatile std::uint64_t*>(mapped->data);
        if (words[0] != words[1]) complain("a writer was not alone with " + id.str());
        if (access == AccessMode::read_write) {
            words[0] = words[0] + 1;
            std::this_thread::yield();
            words[1] = words[0];
        }
        if (const auto given = client_.unmap(*mapped); !given) complain(given.error().sentence());
    }
    void complain(std::string what) {
        if (trouble.empty()) trouble = std::move(what);
    }

    ManagerClient& client_;
    std::vector<RegionId> ids_;
    std::minstd_rand random_;
};

int work(ManagerClient& client, const QStringList& words) {
    std::vector<RegionId> ids;
    for (const auto& word : words.mid(1)) ids.push_back(*RegionId::parse(word.toStdString()));
    const auto seed = words.at(0).toUInt();
    Worker one(client, ids, seed * 2 + 1);
    Worker other(client, ids, seed * 2 + 2);
    std::atomic<bool> enough{false};
    std::thread first([&] { one.run(enough); });
    std::thread second([&] { other.run(enough); });
    std::string line;
    std::getline(std::cin, line);
    enough = true;
    first.join();
    second.join();
    const auto trouble = one.trouble + other.trouble;
    std::cout << (trouble.empty() ? "done " + std::to_string(one.locks + other.locks) : trouble)
              << std::endl;
    return 0;
}

}  // namespace

int run_locker(const QStringList& words) {
    auto client = ManagerClient::connect({.timeout_ms = 60'000});
    if (!client) return 2;
    std::cout << "ready" << std::endl;
    if (words.at(0) == "worker") return work(**client, words.mid(1));
    for (std::string line; std::getline(std::cin, line);)
        std::cout << obey(**client, line) << std::endl;
    return 0;
}
