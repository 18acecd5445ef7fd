// SPDX-License-Identifier: MIT
// Who may open a section, as the system decides it and not as we think it does.
#include <windows.h>

#include <sddl.h>

#include "conformance.h"
#include "windows_filemapping/windows_filemapping_backend.h"

namespace snakepit::shm::conformance {

using namespace windows;

namespace {

constexpr const char* kStranger = "S-1-5-21-1-2-3-4444";

std::string own_sid() {
    const auto own = need(accounts_of(::GetCurrentProcess()), "own account");
    wchar_t* text = nullptr;
    require(::ConvertSidToStringSidW(own.user_sid(), &text) != 0, "cannot print the own SID");
    const LocalMemory<wchar_t> owner(text);
    return utf8(text);
}

// A section with this access, and nothing but its name to reach it by.
class Section {
  public:
    Section(Fixture& fixture, const SectionAccess& access)
        : name_(L"Local\\" + wide(fixture.prefix().substr(1)) + L"access") {
        const auto descriptor = need(access.descriptor({}), "descriptor");
        SECURITY_ATTRIBUTES attributes{sizeof attributes, descriptor->get(), FALSE};
        handle_ = owned(::CreateFileMappingW(INVALID_HANDLE_VALUE, &attributes, PAGE_READWRITE, 0,
                                             4096, name_.c_str()));
        require(handle_.valid(), "cannot create a section");
    }
    // The system's error, or 0.
    DWORD open(DWORD rights) const {
        const auto opened = owned(::OpenFileMappingW(rights, FALSE, name_.c_str()));
        return opened ? 0 : ::GetLastError();
    }
    void decides(DWORD reading, DWORD writing, const std::string& who) const {
        require(open(FILE_MAP_READ) == reading, who + ": wrong decision about reading");
        require(open(FILE_MAP_READ | FILE_MAP_WRITE) == writing,
                who + ": wrong decision about writing");
    }

  private:
    std::wstring name_;
    Handle handle_;
};

SectionAccess access(const Policy& policy) {
    return need(SectionAccess::from_policy(policy), "policy");
}

Policy rule_for(const std::string& user, Right right) {
    Policy policy;
    policy.permissions.owner = Permission::none;
    PolicyRule rule;
    rule.user = user;
    rule.allow.add(right);
    policy.rules.push_back(rule);
    return policy;
}

void permissions_are_enforced(Fixture& fixture) {
    struct Decision {
        Permission permission;
        DWORD reading, writing;
    };
    constexpr Decision kDecisions[] = {
        {Permission::read_write, 0, 0},
        {Permission::read_only, 0, ERROR_ACCESS_DENIED},
        {Permission::none, ERROR_ACCESS_DENIED, ERROR_ACCESS_DENIED},
    };
    for (const auto& [permission, reading, writing] : kDecisions) {
        Policy policy;
        policy.permissions.owner = permission;
        const Section section(fixture, access(policy));
        section.decides(reading, writing, "owner");
    }
}

void others_are_everyone(Fixture& fixture) {
    Policy policy;
    policy.permissions = {Permission::none, Permission::none, Permission::read_only};
    Section(fixture, access(policy)).decides(0, ERROR_ACCESS_DENIED, "others");
}

void rules_name_accounts(Fixture& fixture) {
    Section(fixture, access(rule_for(own_sid(), Right::write))).decides(0, 0, "own SID");
    Section(fixture, access(rule_for(own_sid(), Right::read)))
        .decides(0, ERROR_ACCESS_DENIED, "own SID, reading");
    Section(fixture, access(rule_for(kStranger, Right::write)))
        .decides(ERROR_ACCESS_DENIED, ERROR_ACCESS_DENIED, "another SID");
}

void rules_that_windows_cannot_express_are_refused(Fixture&) {
    auto policy = rule_for("", Right::read);
    policy.rules[0].program = "C:\\Python\\python.exe";
    refused(SectionAccess::from_policy(policy), ErrorCode::not_supported, "a program");
    refused(SectionAccess::from_policy(rule_for("no-such-account-here", Right::read)),
            ErrorCode::not_supported, "an unknown account");
}

void user_is_named_by_its_own_sid(Fixture&) {
    const auto made = need(access({}).descriptor({}), "descriptor");
    wchar_t* text = nullptr;
    require(::ConvertSecurityDescriptorToStringSecurityDescriptorW(
                made->get(), SDDL_REVISION_1,
                OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &text, nullptr) != 0,
            "cannot print the descriptor");
    const LocalMemory<wchar_t> owner(text);
    const auto sddl = utf8(text);
    require(sddl.find(own_sid()) != sddl.npos, "the user is missing in " + sddl);
    require(sddl.find(";OW)") == sddl.npos && sddl.find("S-1-3-4") == sddl.npos,
            "owner rights in " + sddl);
    require(sddl.find(";WD)") == sddl.npos, "everyone in " + sddl);
}

void written_descriptors_are_enforced(Fixture& fixture) {
    const auto from = [](const std::string& text) {
        return need(SectionAccess::from_sddl(text), text);
    };
    Section(fixture, from("D:(A;;GRGW;;;WD)")).decides(0, 0, "everyone");
    Section(fixture, from("D:(A;;GR;;;WD)")).decides(0, ERROR_ACCESS_DENIED, "everyone reads");
    Section(fixture, from("D:(D;;GA;;;WD)(A;;GA;;;WD)"))
        .decides(ERROR_ACCESS_DENIED, ERROR_ACCESS_DENIED, "deny everyone");
    auto both = access({});
    both.add(from("D:(D;;GW;;;WD)"));
    Section(fixture, both).decides(0, ERROR_ACCESS_DENIED, "deny writing");
    refused(SectionAccess::from_sddl("everybody"), ErrorCode::invalid_argument, "no SDDL");
    refused(SectionAccess::from_sddl("O:BA"), ErrorCode::invalid_argument, "no access list");
}

void configured_descriptor_reaches_segments(Fixture& fixture) {
    const auto backend =
        need(WindowsFilemappingBackend::create({}, {false, "D:(A;;GR;;;WD)"}), "backend");
    const auto name = fixture.prefix() + "configured";
    const auto segment = need(backend->create_segment(name, kSize), "create");
    require(need(backend->inspect_segment(name), "inspect").mode == 0644, "wrong mode");
    refused(WindowsFilemappingBackend::create({}, {false, "x"}), ErrorCode::invalid_argument,
            "a wrong descriptor");
}

void foreign_sections_are_left_alone(Fixture& fixture) {
    const auto name = fixture.prefix() + "foreign";
    const auto object = L"Local\\" + wide(name.substr(1));
    const auto foreign = owned(::CreateFileMappingW(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE,
                                                    0, 4096, object.c_str()));
    auto& backend = fixture.backend();
    refused(backend.create_segment(name, kSize), ErrorCode::allocation_failed, "a taken name");
    refused(backend.open_segment(name, AccessMode::read_only), "opening a foreign section");
    refused(backend.remove_segment(name, {1, 2}), "removing a foreign section");
    refused(backend.set_read_only(name, true), "changing a foreign section");
    for (const auto& info : need(backend.list_segments(name), "list"))
        require(info.name != name, "a foreign section is listed");
}

void mark_survives_and_cannot_be_forged_by_readers(Fixture& fixture) {
    const auto name = fixture.name("mark");
    const auto segment = fixture.create(name);
    require(need(mark_of(native(segment.handle)), "mark").identity == segment.identity,
            "the mark has another identity");
    const auto reader = need(fixture.backend().open_segment(name, AccessMode::read_only), "open");
    const auto changed = access({}).apply(native(reader.handle), {});
    refused(changed, ErrorCode::permission_denied, "changing the mark through a reader's handle");
}

void large_pages_are_used_or_explained(Fixture& fixture) {
    auto made = need(WindowsFilemappingBackend::create({}, {true, {}}), "backend");
    auto& backend = static_cast<WindowsFilemappingBackend&>(*made);
    const auto segment = need(made->create_segment(fixture.prefix() + "large", 4 << 20), "create");
    map(segment).data()[0] = std::byte{1};
    const auto answer = backend.use_huge_pages(nullptr, 0);
    refused(answer, ErrorCode::not_supported, "large pages afterwards");
    require(backend.large_page_problem().empty() ||
                answer.error().sentence().find(backend.large_page_problem()) != std::string::npos,
            "the reason is not told");
}

void pipe_client_is_identified(Fixture& fixture) {
    const auto path = L"\\\\.\\pipe\\" + wide(fixture.prefix().substr(1));
    const auto server = owned(::CreateNamedPipeW(path.c_str(), PIPE_ACCESS_DUPLEX,
                                                 PIPE_TYPE_MESSAGE, 1, 4096, 4096, 0, nullptr));
    const auto client = owned(::CreateFileW(path.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr,
                                            OPEN_EXISTING, 0, nullptr));
    require(server.valid() && client.valid(), "cannot make a pipe");
    const auto peer = need(fixture.backend().peer(server), "peer");
    require(peer.pid == own_pid(), "another process is named");
    require(peer.uid == need(fixture.backend().process(own_pid()), "own process").uid,
            "another user is named");
}

constexpr Test kTests[] = {
    {"permissions_are_enforced", permissions_are_enforced},
    {"others_are_everyone", others_are_everyone},
    {"rules_name_accounts", rules_name_accounts},
    {"rules_that_windows_cannot_express_are_refused",
     rules_that_windows_cannot_express_are_refused},
    {"user_is_named_by_its_own_sid", user_is_named_by_its_own_sid},
    {"written_descriptors_are_enforced", written_descriptors_are_enforced},
    {"configured_descriptor_reaches_segments", configured_descriptor_reaches_segments},
    {"foreign_sections_are_left_alone", foreign_sections_are_left_alone},
    {"mark_survives_and_cannot_be_forged_by_readers",
     mark_survives_and_cannot_be_forged_by_readers},
    {"large_pages_are_used_or_explained", large_pages_are_used_or_explained},
    {"pipe_client_is_identified", pipe_client_is_identified},
};

}  // namespace

std::vector<Test> all_tests() {
    return {std::begin(kTests), std::end(kTests)};
}

}  // namespace snakepit::shm::conformance
