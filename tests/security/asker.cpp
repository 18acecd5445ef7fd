// SPDX-License-Identifier: MIT
#include "asker.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include "client/manager_client.h"

using namespace snakepit::shm;

namespace {

template <typename T>
std::string said(const Result<T>& result) {
    if (result) return "ok";
    return std::string(to_string(result.error().code)) + " " + result.error().sentence();
}

class Asker {
  public:
    int run() {
        for (std::string line; std::getline(std::cin, line);) std::cout << obey(line) << std::endl;
        return 0;
    }

  private:
    std::string obey(const std::string& line) {
        std::istringstream words(line);
        std::string what, name;
        words >> what >> name;
        if (what == "connect") {
            auto client = ManagerClient::connect();
            if (client) client_ = std::move(*client);
            return said(client);
        }
        if (what == "refused") return refused(std::stoi(name));
        if (what == "become") return ::setresuid(id(name), id(name), id(name)) == 0 ? "ok" : "no";
        if (what == "become-effective") return ::seteuid(id(name)) == 0 ? "ok" : "no";
        if (what == "become-group") return ::setegid(id(name)) == 0 ? "ok" : "no";
        if (what == "as") {
            std::string rest, answer;
            std::getline(words, rest);
            std::thread([&] {
                // The system's own call: the library's would change all threads.
                const auto uid = id(name);
                answer = ::syscall(SYS_setresuid, uid, uid, uid) == 0
                             ? obey(rest.substr(rest.find_first_not_of(' ')))
                             : "no";
            }).join();
            return answer;
        }
        return ask(what, name);
    }

    // How often a connection was refused without the reason, of so many times.
    static std::string refused(int times) {
        int untold = 0;
        for (int i = 0; i < times; ++i) {
            const auto client = ManagerClient::connect();
            if (client || client.error().code != ErrorCode::identity_mismatch) ++untold;
        }
        return "ok " + std::to_string(untold);
    }

    std::string ask(const std::string& what, const std::string& name) {
        if (what == "allocate") {
            const auto id = client_->allocate(4096, {.placement = Placement::dedicated});
            return id ? "ok " + id->str() : said(id);
        }
        if (what == "list") return said(client_->list(""));
        const auto id = RegionId::parse(name);
        if (!id) return "what?";
        if (what == "info") return said(client_->info(*id));
        if (what == "lock") return said(client_->lock(*id, AccessMode::read_write, 1000));
        if (what != "map") return "what?";
        const auto mapped = client_->map(*id, AccessMode::read_write);
        if (mapped) *mapped->data = std::byte{'!'};
        return said(mapped);
    }

    static uid_t id(const std::string& number) { return static_cast<uid_t>(std::stoul(number)); }

    std::unique_ptr<ManagerClient> client_;
};

// What /proc says of our first thread.
char state_of_first_thread() {
    std::ifstream stat("/proc/self/stat");
    std::string line;
    std::getline(stat, line);
    const auto close = line.rfind(") ");
    return close == std::string::npos ? '?' : line[close + 2];
}

}  // namespace

int run_asker(bool first_thread_ends) {
    if (!first_thread_ends) return Asker().run();
    std::thread([] {
        while (state_of_first_thread() != 'Z') std::this_thread::yield();
        ::_exit(Asker().run());
    }).detach();
    ::pthread_exit(nullptr);
}
