package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type object = map[string]any

func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// transport trusts the plane, and shows a client certificate if one is given.
func (w *world) transport(certificate *tls.Certificate) *http.Transport {
	conf := &tls.Config{RootCAs: w.roots, ServerName: "localhost"}
	if certificate != nil {
		conf.Certificates = []tls.Certificate{*certificate}
	}
	return &http.Transport{TLSClientConfig: conf, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
}

// trust reads the plane's authority, and the administrator's certificate.
func (w *world) trust() error {
	data, err := os.ReadFile(w.plane.CAFile)
	if err != nil {
		return err
	}
	w.roots = x509.NewCertPool()
	w.roots.AppendCertsFromPEM(data)
	admin, err := tls.LoadX509KeyPair(w.plane.AdminCert, w.plane.AdminKey)
	if err != nil {
		return err
	}
	w.hand = &recorder{who: "hand", upstream: w.plane.Server, base: w.transport(&admin), history: w.history, tally: &w.tally}
	return w.certify()
}

// certify makes a fresh serving certificate for the recorders.
func (w *world) certify() error {
	var hosts []string
	for i := range len(couplings) {
		hosts = append(hosts, w.loopback(i, 1))
	}
	cert, key, err := w.plane.Authority.Issue("front", "front", nil, hosts)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return err
	}
	w.certificate.Store(&pair)
	return nil
}

// rotateCertificate gives the API server and the recorders in front of it new
// serving certificates, and resets all connections, since one that stands has no
// use for a certificate. The API server reads its own again when the file changes.
func (w *world) rotateCertificate(ctx context.Context) error {
	before, err := w.serial(ctx)
	if err != nil {
		return err
	}
	if err := w.certify(); err != nil {
		return err
	}
	if _, _, err := w.plane.Authority.Issue("apiserver", "kube-apiserver", nil, []string{"127.0.0.1", "localhost"}); err != nil {
		return err
	}
	for _, c := range w.candidates {
		for _, l := range []*link{c.near, c.far} {
			if err := l.reset(); err != nil {
				return err
			}
		}
	}
	for range 50 {
		if now, err := w.serial(ctx); err == nil && now != before {
			w.count("serving certificates that the API server read again")
			return nil
		}
		wait(ctx, 100*time.Millisecond)
	}
	return errors.New("the API server did not read its new certificate within 5 s")
}

// serial is that of the certificate which the API server shows now.
func (w *world) serial(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{RootCAs: w.roots, ServerName: "localhost"}}
	conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(w.plane.Server, "https://"))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

// insist tries what must be done in the end until it is.
func (w *world) insist(what string, f func(context.Context) error) (err error) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); wait(context.Background(), 200*time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err = f(ctx)
		cancel()
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// shortToken is a candidate's token with another end: the same claims, signed
// with the plane's own key, as the kubelet would get it for ten minutes at least.
func (w *world) shortToken(token string, lifetime time.Duration) (string, error) {
	data, err := os.ReadFile(filepath.Join(w.plane.Dir, "sa.key"))
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(data)
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return "", err
	}
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", err
	}
	now := time.Now()
	claims["iat"], claims["nbf"], claims["exp"] = now.Add(-time.Second).Unix(), now.Add(-time.Second).Unix(), now.Add(lifetime).Unix()
	delete(claims["kubernetes.io"].(map[string]any), "warnafter")
	if payload, err = json.Marshal(claims); err != nil {
		return "", err
	}
	signed := parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload)
	return sign(signed, key)
}

// sign adds an ES256 signature.
func sign(signed string, key *ecdsa.PrivateKey) (string, error) {
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		return "", err
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}
