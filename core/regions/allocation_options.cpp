// SPDX-License-Identifier: MIT
#include "regions/allocation_options.h"

#include <QJsonDocument>
#include <QJsonObject>
#include <algorithm>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

Status check_metadata(const std::string& text) {
    if (text.empty()) return {};
    const auto document = QJsonDocument::fromJson(QByteArray::fromStdString(text));
    if (document.isObject()) return {};
    return fail(ErrorCode::invalid_argument, "the metadata is not a JSON object",
                "write it like {\"key\":\"value\"}");
}

// The configuration's level unless the region has one of its own; encrypted, if it says so.
Status choose_level(const Config& config, bool can_encrypt, RegionOptions& options) {
    const bool given = options.security_level.has_value();
    if (!given)
        options.security_level = config.encryption_enabled
                                     ? std::max(config.security_level, SecurityLevel::high)
                                     : config.security_level;
    if (*options.security_level == SecurityLevel::standard) return {};
    const auto level = to_string(*options.security_level);
    const auto* const why =
        given ? "" : ", which the configuration's security_level and encryption_enabled ask for";
    if (!can_encrypt)
        return fail(
            ErrorCode::not_supported,
            fmt::format("security level '{}'{} needs a key of the instance, and there is none",
                        level, why),
            "restore instance.key of the state directory or the credential snakepit-shm.key, and "
            "restart the manager; or ask for level 'standard', which is not encrypted");
    if (options.durable)
        return fail(
            ErrorCode::not_supported,
            fmt::format("a durable region cannot be encrypted (security level '{}'{}), because "
                        "the record of its current version does not survive a reboot",
                        level, why),
            "ask for level 'standard', which writes its bytes to the state directory as "
            "they are, or for a region that is not durable");
    return {};
}

}  // namespace

Status complete_options(const Config& config, bool can_encrypt, RegionOptions& options) {
    if (!config.enabled)
        return fail(ErrorCode::allocation_failed, "shared memory is disabled",
                    "set enabled = true in the configuration");
    SHM_TRY(choose_level(config, can_encrypt, options));
    if (options.timeout_ms == kDefaultTimeout)
        options.timeout_ms = options.durable ? 0 : config.default_timeout_ms;
    options.audit_access = options.audit_access || config.audit_access ||
                           options.security_level == SecurityLevel::maximum;
    return check_metadata(options.metadata);
}

}  // namespace snakepit::shm
