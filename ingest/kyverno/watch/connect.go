// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// namespaceFile is where a pod finds the namespace of its service account.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// Connect returns the access to a cluster (protocols.md 2.6): that of a kubeconfig file, in its current or the named
// context, or, with no file, that of the pod's service account.
func Connect(kubeconfig, context string) (*rest.Config, error) {
	var cfg *rest.Config
	var err error
	switch {
	case kubeconfig != "":
		cfg, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
			&clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: context},
		).ClientConfig()
	case context != "":
		return nil, errors.New("a context needs a kubeconfig")
	default:
		cfg, err = rest.InClusterConfig()
	}
	if err != nil {
		return nil, fmt.Errorf("access to Kubernetes: %w", err)
	}
	cfg.UserAgent = "tocsin"
	return cfg, nil
}

// ownNamespace is the namespace of the pod that this is.
func ownNamespace() (string, error) {
	b, err := os.ReadFile(namespaceFile)
	if err != nil {
		return "", fmt.Errorf("namespace of the Lease: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
