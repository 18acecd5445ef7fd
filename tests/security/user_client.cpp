// SPDX-License-Identifier: MIT
#include "user_client.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "client/manager_client.h"
#include "layout/lease_page.h"

using namespace snakepit::shm;

namespace {

template <typename T>
std::string said(const Result<T>& result) {
    return result ? "ok" : std::string(to_string(result.error().code));
}

// Descriptors of the region's memory, those that can write if `writable`.
int descriptors(const std::string& id, bool writable) {
    int count = 0;
    const std::unique_ptr<DIR, int (*)(DIR*)> all(::opendir("/proc/self/fd"), ::closedir);
    while (const auto* entry = ::readdir(all.get())) {
        std::array<char, PATH_MAX> path{};
        const auto link = std::string("/proc/self/fd/") + entry->d_name;
        if (::readlink(link.c_str(), path.data(), path.size() - 1) <= 0) continue;
        if (std::string(path.data()).find(id) == std::string::npos) continue;
        const int flags = ::fcntl(std::stoi(entry->d_name), F_GETFL);
        if (!writable || (flags & O_ACCMODE) != O_RDONLY) ++count;
    }
    return count;
}

int mappings(const std::string& id, bool writable) {
    int count = 0;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
        if (line.find(id) != std::string::npos &&
            (!writable || line.find(" rw") != std::string::npos))
            ++count;
    return count;
}

// Words of our lease page that let a reference be taken.
int lease_words() {
    std::ifstream maps("/proc/self/maps");
    int count = 0;
    for (std::string line; std::getline(maps, line);) {
        if (line.find("/leases/") == std::string::npos) continue;
        // The page grows with the first grant.
        struct stat page_file {};
        if (::stat(line.substr(line.find('/')).c_str(), &page_file) != 0 ||
            static_cast<std::uint64_t>(page_file.st_size) <= layout::LeaseOffsets::chunks)
            continue;
        auto* const base = reinterpret_cast<std::byte*>(std::stoull(line, nullptr, 16));
        const layout::LeasePage page(base);
        for (std::uint32_t slot = 0; slot < layout::kChunkSlots; ++slot)
            if (layout::LeaseWord::n(page.word(slot).load()) > 0) ++count;
    }
    return count;
}

class UserClient {
  public:
    int run() {
        for (std::string line; std::getline(std::cin, line);) std::cout << obey(line) << std::endl;
        return 0;
    }

  private:
    std::string obey(const std::string& line) {
        std::istringstream words(line);
        std::string what, name, mode;
        words >> what >> name;
        if (what == "connect") {
            auto client = ManagerClient::connect();
            if (client) client_ = std::move(*client);
            return said(client);
        }
        if (what == "poke") return static_cast<void>(*kept_.data = std::byte{'!'}), "ok";
        if (what == "drop") return said(client_->unmap(kept_));
        if (what == "allocate") {
            const auto id = client_->allocate(4096, {.placement = Placement::dedicated});
            return id ? "ok " + id->str() : said(id);
        }
        const auto id = RegionId::parse(name);
        if (!id) return "what?";
        if (what == "policy") {
            std::string json;
            std::getline(words, json);
            const auto set = client_->set_policy(*id, json);
            return set ? "ok " + *set : said(set);
        }
        words >> mode;
        return about(what, *id, mode == "rw");
    }

    std::string about(const std::string& what, const RegionId& id, bool writes) {
        const auto access = writes ? AccessMode::read_write : AccessMode::read_only;
        if (what == "manage") return said(client_->policy(id));
        if (what == "deallocate") return said(client_->deallocate(id));
        if (what == "holds")
            return "descriptors " + std::to_string(descriptors(id.str(), writes)) + " mappings " +
                   std::to_string(mappings(id.str(), writes)) + " references " +
                   std::to_string(client_->references_held(id)) + " words " +
                   std::to_string(lease_words());
        const auto mapped = client_->map(id, access);
        if (!mapped) return said(mapped);
        if (what == "keep") {
            kept_ = *mapped;
            *kept_.data = std::byte{'k'};
            return "ok";
        }
        // Touched, so that a mapping that is there in name only would show.
        const auto first = *mapped->data;
        if (writes) *mapped->data = first;
        const auto answer = what == "peek" ? std::string(1, static_cast<char>(first)) : "";
        return said(client_->unmap(*mapped)) + (answer.empty() ? "" : " " + answer);
    }

    std::unique_ptr<ManagerClient> client_;
    MappedRegion kept_;
};

}  // namespace

int run_user_client() {
    return UserClient().run();
}
