/* A server's first certificate: an ECDSA P-256 key that signs itself. */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/random.h"
#include "net/addr.h"

enum { DAY_SECONDS = 86400, VALID_DAYS = 3650 };

/* 2026-01-01: a clock that is behind it is wrong, as at the first boot without a battery, and a
 * certificate by it would have run out once it is right. */
static const int64_t earliest_s = 1767225600;

static bool set_validity(X509 *certificate)
{
    int64_t now_s = clock_wall_us() / 1000000;

    if (now_s < earliest_s)
        now_s = earliest_s;
    return ASN1_TIME_set(X509_getm_notBefore(certificate), now_s - DAY_SECONDS) &&
           ASN1_TIME_set(X509_getm_notAfter(certificate),
                         now_s + (int64_t)VALID_DAYS * DAY_SECONDS);
}

static int set_serial(X509 *certificate)
{
    uint8_t bytes[16];
    BIGNUM *number;
    bool is_done;

    random_bytes(bytes, sizeof(bytes));
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40); /* positive, and always of this length */
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    is_done = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return is_done ? 0 : -ERR_TLS;
}

static GENERAL_NAME *name_new(const char *host)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    struct addr addr;
    bool is_number = addr_parse(&addr, host) == 0;
    ASN1_STRING *value = is_number ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&addr.storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&addr.storage;
    int set = 0;

    if (!name || !value)
        set = 0;
    else if (!is_number)
        set = ASN1_STRING_set(value, host, -1);
    else if (addr.storage.ss_family == AF_INET)
        set = ASN1_STRING_set(value, &v4->sin_addr, 4);
    else
        set = ASN1_STRING_set(value, &v6->sin6_addr, 16);
    if (set != 1) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(value);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, is_number ? GEN_IPADD : GEN_DNS, value);
    return name;
}

static int add_names(X509 *certificate, const char *const *hosts, size_t host_count)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    int err = names ? 0 : -ENOMEM;

    for (size_t i = 0; err == 0 && i < host_count; i++) {
        GENERAL_NAME *name = name_new(hosts[i]);

        if (!name || sk_GENERAL_NAME_push(names, name) <= 0) {
            GENERAL_NAME_free(name);
            err = -ENOMEM;
        }
    }
    if (err == 0 && host_count > 0 &&
        X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) != 1)
        err = -ERR_TLS;
    GENERAL_NAMES_free(names);
    return err;
}

static int add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX context;
    int done;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    done = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done ? 0 : -ERR_TLS;
}

static int certificate_fill(X509 *certificate, EVP_PKEY *key, const char *const *hosts,
                            size_t host_count)
{
    /* A common name holds at most 64 characters; the names that count are in the extension. */
    const char *common = host_count && strlen(hosts[0]) <= 64 ? hosts[0] : "culvert";
    X509_NAME *name = X509_get_subject_name(certificate);

    if (X509_set_version(certificate, X509_VERSION_3) != 1 || set_serial(certificate) < 0 ||
        !set_validity(certificate) || X509_set_pubkey(certificate, key) != 1 ||
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common, -1, -1,
                                   0) != 1 ||
        X509_set_issuer_name(certificate, name) != 1)
        return -ERR_TLS;
    if (add_names(certificate, hosts, host_count) < 0 ||
        add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") < 0 ||
        add_extension(certificate, NID_key_usage, "critical,digitalSignature") < 0 ||
        add_extension(certificate, NID_ext_key_usage, "serverAuth") < 0 ||
        add_extension(certificate, NID_subject_key_identifier, "hash") < 0)
        return -ERR_TLS;
    return X509_sign(certificate, key, EVP_sha256()) > 0 ? 0 : -ERR_TLS;
}

/* Opens a file that must not exist yet; *out is NULL on failure. */
static int file_create(FILE **out, const char *path, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

    *out = NULL;
    if (fd < 0)
        return -errno;
    *out = fdopen(fd, "w");
    if (*out)
        return 0;
    close(fd);
    unlink(path);
    return -ENOMEM;
}

static int file_finish(FILE *file, const char *path, bool is_good)
{
    bool is_written = is_good && fflush(file) == 0 && fsync(fileno(file)) == 0;
    int err = is_written ? 0 : (is_good ? -errno : -ERR_TLS);

    if (fclose(file) != 0 && err == 0)
        err = -EIO;
    if (err < 0)
        unlink(path);
    return err;
}

static int write_key(const char *path, EVP_PKEY *key)
{
    FILE *file;
    int err = file_create(&file, path, 0600);

    if (err < 0)
        return err;
    return file_finish(file, path,
                       PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
}

static int write_certificate(const char *path, X509 *certificate)
{
    FILE *file;
    int err = file_create(&file, path, 0644);

    if (err < 0)
        return err;
    return file_finish(file, path, PEM_write_X509(file, certificate) == 1);
}

int tls_make_pair(const char *cert_file, const char *key_file, const char *const *hosts,
                  size_t host_count)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    int err = key && certificate ? certificate_fill(certificate, key, hosts, host_count) : -ENOMEM;

    if (err == 0 && access(cert_file, F_OK) == 0)
        err = -EEXIST;
    if (err == 0)
        err = write_key(key_file, key);
    if (err == 0) {
        err = write_certificate(cert_file, certificate);
        if (err < 0)
            unlink(key_file); /* made by us, a moment ago */
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return err;
}
