#pragma once
// TLS for a hiredis connection, where this machine has hiredis' TLS half; found when the program runs.
//
// Debian 12's hiredis 0.14 has none, 1.x has it in a library of its own (libhiredis_ssl). Linking it would keep the program from
// starting, or from being built, where it is missing. OpenSSL's functions come through the same library, so they are those that it
// uses itself. They are called directly for one reason: hiredis checks the chain of a certificate but, before 1.5, never its name.
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
#include <hiredis/hiredis.h>

#define FLOTILLA_QUOTED(word) #word
#define FLOTILLA_EXPANDED(word) FLOTILLA_QUOTED(word)
/// The TLS half of exactly the hiredis that was compiled against: the layout of a context changes between versions.
#define FLOTILLA_TLS_LIBRARY "libhiredis_ssl.so." FLOTILLA_EXPANDED(HIREDIS_SONAME)

/// What is used of hiredis' TLS half (first) and of OpenSSL 1.1 or later.
typedef struct flotilla_tls_functions {
    int (*initiate)(redisContext *, void *session);
    const void *(*method)(void);
    void *(*context_new)(const void *method);
    void (*context_free)(void *context);
    long (*context_control)(void *context, int command, long number, void *pointer);
    int (*context_authorities)(void *context, const char *file, const char *folder);
    int (*context_default_authorities)(void *context);
    int (*context_chain)(void *context, const char *file);
    int (*context_key)(void *context, const char *file, int format);
    void *(*session_new)(void *context);
    void (*session_free)(void *session);
    int (*session_name)(void *session, const char *name);
    void *(*session_parameters)(void *session);
    int (*parameters_address)(void *parameters, const char *address);
    void (*session_verify)(void *session, int mode, void *callback);
    long (*session_control)(void *session, int command, long number, void *pointer);
    long (*session_verdict)(const void *session);
    const char *(*verdict_text)(long verdict);
} flotilla_tls_functions;

/// Finds the functions; answers what is missing, or NULL when nothing is.
static inline const char *flotilla_tls_load(flotilla_tls_functions *functions) {
    static const char *const names[] = {
        "redisInitiateSSL", "TLS_client_method", "SSL_CTX_new", "SSL_CTX_free", "SSL_CTX_ctrl",
        "SSL_CTX_load_verify_locations", "SSL_CTX_set_default_verify_paths", "SSL_CTX_use_certificate_chain_file",
        "SSL_CTX_use_PrivateKey_file", "SSL_new", "SSL_free", "SSL_set1_host", "SSL_get0_param",
        "X509_VERIFY_PARAM_set1_ip_asc", "SSL_set_verify", "SSL_ctrl", "SSL_get_verify_result", "X509_verify_cert_error_string",
    };
    enum { count = sizeof names / sizeof names[0] };
    _Static_assert(sizeof(flotilla_tls_functions) == count * sizeof(void *), "a name for each function");
    void *library = dlopen(FLOTILLA_TLS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return FLOTILLA_TLS_LIBRARY;
    void *found[count];
    for (size_t index = 0; index < count; index++) {
        found[index] = dlsym(library, names[index]);
        if (found[index] == NULL) return names[index];
    }
    memcpy(functions, found, sizeof found);
    return NULL;
}

/// A context that checks certificates against `authorities`, or the machine's own; NULL with the file that cannot be used in `why`.
static inline void *flotilla_tls_context(
    const flotilla_tls_functions *functions, const char *authorities, const char *chain, const char *key, const char **why) {
    enum { set_min_version = 123, tls_1_2 = 0x0303, pem = 1 };
    void *context = functions->context_new(functions->method());
    *why = "memory";
    if (context == NULL) return NULL;
    functions->context_control(context, set_min_version, tls_1_2, NULL);
    int known = authorities != NULL ? functions->context_authorities(context, authorities, NULL)
                                    : functions->context_default_authorities(context);
    *why = known != 1 ? (authorities != NULL ? authorities : "the machine's certificate authorities") : NULL;
    if (*why == NULL && chain != NULL && functions->context_chain(context, chain) != 1) *why = chain;
    if (*why == NULL && key != NULL && functions->context_key(context, key, pem) != 1) *why = key;
    if (*why == NULL) return context;
    functions->context_free(context);
    return NULL;
}

/// Begins TLS on a connected socket, for a server of that name or numeric address; answers REDIS_OK, and the session to ask for
/// its verdict, which belongs to the connection then.
static inline int flotilla_tls_begin(
    const flotilla_tls_functions *functions, void *context, redisContext *connection, const char *host, int is_address,
    void **session) {
    enum { verify_peer = 1, set_server_name = 55, host_name = 0 };
    void *made = functions->session_new(context);
    if (made == NULL) return REDIS_ERR;
    functions->session_verify(made, verify_peer, NULL);
    int named = is_address ? functions->parameters_address(functions->session_parameters(made), host)
                           : functions->session_name(made, host)
            && functions->session_control(made, set_server_name, host_name, (void *)host);
    if (named != 1 || functions->initiate(connection, made) != REDIS_OK) {
        functions->session_free(made);
        return REDIS_ERR;
    }
    *session = made;
    return REDIS_OK;
}

/// What is wrong with the server's certificate; NULL when nothing is known to be.
static inline const char *flotilla_tls_verdict(const flotilla_tls_functions *functions, const void *session) {
    long verdict = functions->session_verdict(session);
    return verdict == 0 ? NULL : functions->verdict_text(verdict);
}
