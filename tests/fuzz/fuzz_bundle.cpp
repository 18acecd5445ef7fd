// SPDX-License-Identifier: MIT
// Bundles as anybody may have made them: an archive that holds what it likes.
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "alerts/alert.h"
#include "diagnostics/bundle_reader.h"
#include "diagnostics/host_json.h"
#include "events/event_reader.h"
#include "layout/registry_reader.h"

using namespace snakepit::shm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto path = "/tmp/snakepit-fuzz-bundle-" + std::to_string(::getpid());
    {
        const Handle file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        if (!file || ::write(file.get(), data, size) != static_cast<ssize_t>(size)) std::abort();
    }
    auto bundle = BundleReader::open(path);
    ::unlink(path.c_str());
    if (!bundle) {
        if (bundle.error().message.empty()) std::abort();
        return 0;
    }
    if (auto registry = RegistryReader::open(bundle->registry())) {
        static_cast<void>(registry->poll());
        static_cast<void>(registry->clients());
        static_cast<void>(registry->samples(0));
    }
    if (auto events = EventReader::open(bundle->events())) static_cast<void>(events->query({}));
    static_cast<void>(bundle->document("status.json"));
    if (const auto host = bundle->document("host.json")) static_cast<void>(parse_host(*host));
    if (const auto alerts = bundle->text("alerts.json")) static_cast<void>(parse_alerts(*alerts));
    if (const auto rules = bundle->text("alert_rules.json")) static_cast<void>(parse_rules(*rules));
    if (const auto silences = bundle->text("alert_silences.json"))
        static_cast<void>(parse_silences(*silences));
    return 0;
}
