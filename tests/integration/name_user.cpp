// SPDX-License-Identifier: MIT
#include "name_user.h"

#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <string>

#include "snakepit/shm/snakepit_shm.h"

namespace {

using Words = std::istringstream;

class NameUser {
  public:
    int run() {
        if (snakepit_shm_connect(nullptr, &client_) != SNAKEPIT_SHM_OK) {
            std::cout << snakepit_shm_last_error() << std::endl;
            return 1;
        }
        std::cout << "connected" << std::endl;
        for (std::string line; std::getline(std::cin, line);) {
            Words words(line);
            std::string command, word;
            words >> command >> word;
            std::cout << answer(command, word, words) << std::endl;
        }
        snakepit_shm_disconnect(client_);
        return 0;
    }

  private:
    std::string answer(const std::string& command, const std::string& word, Words& words) {
        std::string text = " ";
        const auto status = carry_out(command, word, words, text);
        return status == SNAKEPIT_SHM_OK ? "ok" + text : snakepit_shm_status_name(status);
    }

    snakepit_shm_status carry_out(const std::string& command, const std::string& word, Words& words,
                                  std::string& text) {
        char id[SNAKEPIT_SHM_ID_SIZE] = "";
        if (command == "allocate") {
            snakepit_shm_options options = SNAKEPIT_SHM_OPTIONS_INIT;
            std::uint64_t size = 0;
            std::string end;
            words >> size >> end;
            if (end == "keep") options.owner_end = SNAKEPIT_SHM_OWNER_END_KEEP;
            if (end == "grace") options.owner_end = SNAKEPIT_SHM_OWNER_END_GRACE;
            if (end == "withdraw") options.owner_end = SNAKEPIT_SHM_OWNER_END_WITHDRAW;
            options.name = word.c_str();
            const auto status = snakepit_shm_allocate(client_, size, &options, id);
            text += id;
            return status;
        }
        if (command == "resolve") {
            const auto status = snakepit_shm_resolve(client_, word.c_str(), id);
            text += id;
            return status;
        }
        if (command == "map") {
            auto& mapping = mappings_[word];
            const auto status =
                snakepit_shm_map(client_, word.c_str(), SNAKEPIT_SHM_READ_WRITE, &mapping);
            text += std::to_string(mapping.size);
            return status;
        }
        if (command == "open") {
            std::uint64_t size = 0;
            bool created = false;
            words >> size;
            const auto status =
                snakepit_shm_open(client_, word.c_str(), size, nullptr, SNAKEPIT_SHM_READ_WRITE,
                                  &mappings_[word], &created);
            if (status != SNAKEPIT_SHM_OK) return status;
            (void)snakepit_shm_mapping_id(client_, &mappings_[word], id);
            text += (created ? "created " : "opened ") + std::string(id);
            return status;
        }
        if (command == "put") {
            std::string bytes;
            words >> bytes;
            std::memcpy(mappings_.at(word).data, bytes.c_str(), bytes.size() + 1);
            return SNAKEPIT_SHM_OK;
        }
        if (command == "get") {
            text += static_cast<const char*>(mappings_.at(word).data);
            return SNAKEPIT_SHM_OK;
        }
        if (command == "unmap") return snakepit_shm_unmap(client_, &mappings_.at(word));
        if (command == "deallocate") return snakepit_shm_deallocate(client_, word.c_str());
        if (command == "lock")
            return snakepit_shm_lock(client_, word.c_str(), SNAKEPIT_SHM_READ_WRITE, 10'000,
                                     &tokens_[word]);
        if (command == "unlock")
            return snakepit_shm_unlock(client_, word.c_str(), tokens_.at(word));
        return SNAKEPIT_SHM_INVALID_ARGUMENT;
    }

    snakepit_shm_client* client_ = nullptr;
    std::map<std::string, snakepit_shm_mapping> mappings_;
    std::map<std::string, std::uint64_t> tokens_;
};

}  // namespace

int run_name_user() {
    return NameUser().run();
}
