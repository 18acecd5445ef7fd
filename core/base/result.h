// SPDX-License-Identifier: MIT
#pragma once

#include <tl/expected.hpp>
#include <utility>

#include "base/error.h"

namespace snakepit::shm {

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(Error error) {
    return tl::unexpected<Error>(std::move(error));
}
inline tl::unexpected<Error> fail(ErrorCode code, std::string message, std::string remedy = {}) {
    return fail(make_error(code, std::move(message), std::move(remedy)));
}

// Returns from the calling function with the error of `expression`, if it has one.
#define SHM_TRY(expression)                                                  \
    do {                                                                     \
        if (auto shm_try_result = (expression); !shm_try_result)             \
            return ::snakepit::shm::fail(std::move(shm_try_result).error()); \
    } while (false)

#define SHM_CONCAT_(a, b) a##b
#define SHM_CONCAT(a, b) SHM_CONCAT_(a, b)
// Declares `declaration` with the value of `expression`, or returns its error.
#define SHM_ASSIGN(declaration, expression)                                                 \
    auto SHM_CONCAT(shm_result_, __LINE__) = (expression);                                  \
    if (!SHM_CONCAT(shm_result_, __LINE__))                                                 \
        return ::snakepit::shm::fail(std::move(SHM_CONCAT(shm_result_, __LINE__)).error()); \
    declaration = std::move(*SHM_CONCAT(shm_result_, __LINE__))

}  // namespace snakepit::shm
